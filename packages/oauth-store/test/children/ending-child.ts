import {
  type CredentialClock,
  type CredentialStore,
  createCredentialSession,
  oauthCredential,
  storeKey,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";

/** A program that has nothing to do any more but what its session still owes. Nobody waits for anything. */
const [, , what = "", home = "", entry = "{}"] = process.argv;
const inner = fileStore(home);
let failures = what === "login" ? 3 : 0;
const store: CredentialStore = {
  ...inner,
  update: (...given) => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error("not now")) : inner.update(...given);
  },
};
/** Timers that keep no process running, as a caller's own may be. */
const idleClock: CredentialClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
const session = createCredentialSession({
  kind: oauthCredential,
  store,
  key: storeKey("mock", "https://mcp.example/mcp"),
  home,
  clock: what === "login" ? undefined : idleClock,
  refreshGrant: async () => {
    await new Promise((resolve) => setTimeout(resolve, 100).unref());
    const answer = { access_token: "at-received", refresh_token: "rt-received-and-not-to-be-lost" };
    return { sent: "yes", status: 200, body: Buffer.from(JSON.stringify(answer)) };
  },
});
if (what === "login") void session.login(oauthCredential.parse(JSON.parse(entry)));
else void session.ensureFresh();
