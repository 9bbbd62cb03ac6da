import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { type CredentialClock, createCredentialSession, oauthCredential } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

export interface FrozenSetup {
  readonly home: string;
  readonly key: string;
  readonly tokenUrl: string;
}

/** Asks for its credential; at the word it sets its timers going, all but due, and stops itself until it is continued. */
const port = connectParent();
const { home, key, tokenUrl } = (await port.receive()) as FrozenSetup;
const waiting = new Set<() => void>();
let started = false;
const clock: CredentialClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    let timer: NodeJS.Timeout | undefined;
    const start = () => {
      timer = setTimeout(run, delayMs / 45_000);
    };
    if (started) start();
    else waiting.add(start);
    return () => {
      waiting.delete(start);
      clearTimeout(timer);
    };
  },
};
const session = createCredentialSession({
  kind: oauthCredential,
  store: fileStore(home),
  key,
  home,
  clock,
  refreshGrant: loopbackGrant(tokenUrl),
});
// With a signal, so that no deadline of ours is among the timers.
const asked = session.ensureFresh({ signal: new AbortController().signal }).then(
  ({ generation }) => ({ generation }),
  ({ code, reason }: { code: string; reason?: string }) => ({ code, reason }),
);
await port.receive();
started = true;
for (const start of waiting) start();
process.kill(process.pid, "SIGSTOP");
port.send(await asked);
port.close();
