import {
  type CredentialClock,
  type CredentialStore,
  createCredentialSession,
  oauthCredential,
  storeKey,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";

/** A program whose login could not be saved at first, which has settled since, and has nothing else to do. */
const [, , home = "", entry = "{}"] = process.argv;
const inner = fileStore(home);
let full = true;
const store: CredentialStore = {
  ...inner,
  update: async (...given) => {
    if (full) throw new Error("not now");
    return inner.update(...given);
  },
};
/** Timers that are ten thousand times as slow: one that is left keeps the process for a quarter of an hour. */
const clock: CredentialClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs * 10_000);
    return () => clearTimeout(timer);
  },
};
const session = createCredentialSession({
  kind: oauthCredential,
  store,
  key: storeKey("mock", "https://mcp.example/mcp"),
  home,
  clock,
  refreshGrant: () => Promise.reject(new Error("not called")),
});
await session.login(oauthCredential.parse(JSON.parse(entry)));
full = false;
await session.settle();
