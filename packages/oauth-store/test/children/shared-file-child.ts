import { setTimeout as sleep } from "node:timers/promises";
import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";

/** Writes one entry of a shared file: once, once when told to, or for ever. */
const port = connectParent();
const [, , kind, home = "", key = "", how = "at once"] = process.argv;
const { open } =
  kind === "plain"
    ? (await import("../support/plain-file.ts")).plainFile
    : (await import("../support/encrypted-file.ts")).encryptedFile;
const store = open(home);
if (how === "forever") {
  for (let round = 0; ; round += 1) {
    await store.update(key, () => ({ write: { round, text: "b".repeat(20_000) } }));
    if (round === 1) port.send("writing");
    // Who asks again at once would keep the lock from everybody who polls for it.
    await sleep(Math.random() * 8);
  }
}
if (how === "wait") {
  port.send("ready");
  await port.receive();
}
await store.update(key, () => ({ write: key === "theirs|1" ? "theirs" : "written" }), {
  faultPoint: (name) => port.faultPoint(name),
});
port.close();
