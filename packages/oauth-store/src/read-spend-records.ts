import type { SpendSummary } from "./explanation.ts";
import { createFileLedger } from "./file-ledger.ts";
import { flockProvider } from "./flock-provider.ts";
import type { FoundRecord } from "./spend-ledger.ts";

/**
 * Reads the headers of one credential's spend records, newest first, for diagnosis: no lock, no secret. `current` is
 * what the lineage note says of the store.
 */
export async function readSpendRecords(options: {
  /** The home of the session. */
  readonly home: string;
  /** The full store key. */
  readonly key: string;
}): Promise<readonly SpendSummary[]> {
  const ledger = createFileLedger({ ...options, locks: flockProvider() });
  const note = await ledger.readLineage();
  return summarize(await ledger.list(), note?.current?.fingerprint);
}

/** What may be told of records. Those that cannot be read are left out. */
export function summarize(
  records: readonly FoundRecord[],
  current: string | undefined,
): readonly SpendSummary[] {
  return records
    .flatMap(({ header }) => (header ? [header] : []))
    .sort((a, b) => b.claimedAtMs - a.claimedAtMs || b.attempt - a.attempt)
    .map((header) => ({
      fingerprint: header.fingerprint,
      attempt: header.attempt,
      state: header.state,
      claimedAtMs: header.claimedAtMs,
      outcomeCode: header.outcomeCode,
      correlationId: header.correlationId,
      failures: header.failures,
      nextAtMs: header.nextAtMs || undefined, // 0: at once.
      lineage: header.lineage,
      generation: header.generation,
      current: header.fingerprint === current,
    }));
}
