import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createCredentialSession, isCredentialError, oauthCredential } from "../../src/index.ts";
import { fastClock } from "../support/fast-clock.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

export interface PatientSetup {
  readonly home: string;
  readonly targets: readonly { readonly key: string; readonly tokenUrl: string }[];
  readonly factor: number;
  readonly baseMs: number;
  readonly lastMs: number;
  /** Real milliseconds a caller gives itself. */
  readonly patienceMs: number;
}

export interface PatientReport {
  /** By key: what callers got, and how often. */
  readonly got: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Longest time past a caller's own deadline, in real milliseconds. */
  readonly longestOverMs: number;
}

/** Asks for each credential again and again, each time with a deadline, until the time is up. */
const port = connectParent();
const setup = (await port.receive()) as PatientSetup;
const { home, targets, factor, baseMs, lastMs, patienceMs } = setup;
const clock = fastClock(factor, baseMs);
const got: Record<string, Record<string, number>> = {};
let longestOverMs = 0;

async function insist({ key, tokenUrl }: PatientSetup["targets"][number]): Promise<void> {
  const counts: Record<string, number> = {};
  got[key] = counts;
  const session = createCredentialSession({
    kind: oauthCredential,
    store: fileStore(home),
    key,
    home,
    refreshGrant: loopbackGrant(tokenUrl),
    clock,
  });
  while (clock.wallMs() < baseMs + lastMs) {
    const startedMs = performance.now();
    const end = await session.ensureFresh({ signal: AbortSignal.timeout(patienceMs) }).then(
      () => "served",
      (error: unknown) => (isCredentialError(error) ? error.code : (error as Error).name),
    );
    longestOverMs = Math.max(longestOverMs, performance.now() - startedMs - patienceMs);
    counts[end] = (counts[end] ?? 0) + 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

await Promise.all(targets.map(insist));
port.send({ got, longestOverMs } satisfies PatientReport);
process.exit(0);
