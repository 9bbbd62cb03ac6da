import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createCredentialSession, isCredentialError, oauthCredential } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";
import { virtualClock } from "../support/virtual-clock.ts";

export interface PatientSetup {
  readonly home: string;
  readonly targets: readonly { readonly key: string; readonly tokenUrl: string }[];
  readonly startMs: number;
  /** What a caller gives itself, by the clock that the parent moves. */
  readonly patienceMs: number;
}

/** What the last move of the clock left, by key. */
export interface PatientReport {
  /** Nobody waits. */
  readonly idle: readonly string[];
}

export interface PatientEnd {
  /** By key: what callers got, and how often. */
  readonly got: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Longest wait of a caller, by the clock that the parent moves. */
  readonly longestMs: number;
}

/** Asks for each credential again after each move of the clock, each time with a deadline. */
const port = connectParent();
const { home, targets, startMs, patienceMs } = (await port.receive()) as PatientSetup;
const clock = virtualClock(startMs);
const waiting = new Set<string>();
const got: Record<string, Record<string, number>> = {};
let longestMs = 0;
const sessions = targets.map(({ key, tokenUrl }) => {
  const session = createCredentialSession({
    kind: oauthCredential,
    store: fileStore(home),
    key,
    home,
    refreshGrant: loopbackGrant(tokenUrl),
    clock,
  });
  return { key, session };
});

async function ask({ key, session }: (typeof sessions)[number]): Promise<void> {
  if (waiting.has(key)) return;
  waiting.add(key);
  const sinceMs = clock.monotonicMs();
  const deadline = new AbortController();
  const stop = clock.after?.(patienceMs, () => deadline.abort());
  const end = await session.ensureFresh({ signal: deadline.signal }).then(
    () => "served",
    (error: unknown) => (isCredentialError(error) ? error.code : (error as Error).name),
  );
  stop?.();
  longestMs = Math.max(longestMs, clock.monotonicMs() - sinceMs);
  got[key] = { ...got[key], [end]: (got[key]?.[end] ?? 0) + 1 };
  waiting.delete(key);
}

for (;;) {
  const word = (await port.receive()) as number | "look" | "end";
  if (word === "end") break;
  if (typeof word === "number") {
    await clock.advance(word);
    for (const one of sessions) void ask(one);
  }
  const idle = targets.map(({ key }) => key).filter((key) => !waiting.has(key));
  port.send({ idle } satisfies PatientReport);
}
port.send({ got, longestMs } satisfies PatientEnd);
process.exit(0);
