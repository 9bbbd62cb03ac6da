import {
  type CredentialClock,
  type CredentialStore,
  createCredentialSession,
  oauthCredential,
  storeKey,
} from "../../src/index.ts";
import { CANARY } from "../support/canary.ts";
import { fileStore } from "../support/file-store.ts";

/**
 * A program that has nothing to do any more but what its session still owes. Nobody waits for anything, and neither
 * its grant nor its store keeps a process running while it waits.
 */
const [, , what = "", home = "", entry = "{}"] = process.argv;
const inner = fileStore(home);
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 100).unref());
const isLogin = what.includes("login");
const isBehindAnswer = what === "login behind an answer";
let failures = what === "failing login" ? 3 : 0;
if (isBehindAnswer) failures = Number.POSITIVE_INFINITY;
const store: CredentialStore = {
  ...inner,
  update: async (...given) => {
    failures -= 1;
    if (failures >= 0) throw new Error("not now");
    await aWhile();
    return inner.update(...given);
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
  clock: isLogin ? undefined : idleClock,
  refreshGrant: async () => {
    await aWhile();
    const answer = { access_token: `at-${CANARY}-received`, refresh_token: `rt-${CANARY}-not-to-be-lost` };
    return { sent: "yes", status: 200, body: Buffer.from(JSON.stringify(answer)) };
  },
});
if (isBehindAnswer) {
  let isLoggedIn = false;
  session.onEvent(({ type }) => {
    isLoggedIn ||= type === "loggedIn";
    // From then on what is tried is saved, by whoever is still there to try.
    if (isLoggedIn && type === "unpersisted") failures = 0;
  });
  await session.ensureFresh({ signal: new AbortController().signal });
}
if (isLogin) void session.login(oauthCredential.parse(JSON.parse(entry)));
else if (what === "logout") void session.logout();
// With a signal, so that no deadline of ours runs.
else void session.ensureFresh({ signal: new AbortController().signal });
