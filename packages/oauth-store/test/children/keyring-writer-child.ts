import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createKeyringStore } from "../../src/keyring-store.ts";

/** Adds a member to one entry of the keyring when told to, and says what came of it. */
const port = connectParent();
const [, , home = "", key = "", name = "", timeoutMs = "10000"] = process.argv;
const store = createKeyringStore({
  service: home,
  lockDirectory: `${home}/locks`,
  timeoutMs: Number(timeoutMs),
});
port.send("ready");
await port.receive();
const end = await store
  .update(key, (current) => ({ write: { ...(current as object), [name]: true } }), {
    faultPoint: (point) => port.faultPoint(point),
  })
  .then(
    () => "written",
    (error: { code?: string }) => error.code,
  );
port.send(end);
port.close();
