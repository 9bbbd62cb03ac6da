import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord, FoundRecord, SpendLedger } from "./spend-ledger.ts";

/** Writes on one record, whoever claimed it. */
export interface RecordPen {
  readonly header: SpendHeader;
  /** The claim behind it, when this process keeps the record locked. */
  readonly claim?: ClaimedRecord | undefined;
  write(header: SpendHeader): Promise<void>;
  /** Gives up the record's lock, if this process has it. */
  close(): void;
}

/** A record this process claimed and still keeps locked. */
export function penOfClaim(claim: ClaimedRecord, header: SpendHeader): RecordPen {
  return { header, claim, write: (next) => claim.write(next), close: () => claim.close() };
}

/** A record that nobody keeps locked any more. */
export function penOfRecord(
  ledger: SpendLedger,
  record: Pick<FoundRecord, "fingerprint" | "attempt">,
  header: SpendHeader,
): RecordPen {
  const found: FoundRecord = { ...record, header, writtenAtMs: header.claimedAtMs };
  return { header, write: (next) => ledger.writeHeader(found, next), close() {} };
}
