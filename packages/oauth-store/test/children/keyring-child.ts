import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createKeyringStore, isCredentialError } from "../../src/index.ts";

/** Reads and writes one keyring entry, and says what came of it. With a pid, freezes that process before. */
const port = connectParent();
const [, , home = "", freeze] = process.argv;
const store = createKeyringStore({ service: "S", lockDirectory: `${home}/locks`, timeoutMs: 800 });
const failure = (error: unknown) =>
  isCredentialError(error) ? { code: error.code, reason: error.reason } : { code: String(error) };

if (freeze === undefined) {
  port.send({
    read: await store.read("key").catch(failure),
    update: await store.update("key", () => ({ write: 1 })).catch(failure),
  });
} else {
  let last = performance.now();
  let longestPauseMs = 0;
  const pulse = setInterval(() => {
    longestPauseMs = Math.max(longestPauseMs, performance.now() - last);
    last = performance.now();
  }, 5);
  process.kill(Number(freeze), "SIGSTOP");
  const read = await store.read("key").catch(failure);
  clearInterval(pulse);
  port.send({ read, longestPauseMs });
}
port.close();
