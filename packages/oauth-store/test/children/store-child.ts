import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createAggregateFileStore } from "../../src/index.ts";

/** Writes one entry, stopping at whatever point is armed. */
const port = connectParent();
const [, , home = "", key = ""] = process.argv;
const store = createAggregateFileStore({
  path: `${home}/.credentials.json`,
  lockPath: `${home}/locks/file-store.lock`,
});
await store.update(key, () => ({ write: { written: true } }), {
  faultPoint: (name) => port.faultPoint(name),
});
port.close();
