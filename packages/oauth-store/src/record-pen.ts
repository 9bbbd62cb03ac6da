import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord, FoundRecord, SpendLedger } from "./spend-ledger.ts";

/** Writes on one record, whoever claimed it. */
export interface RecordPen {
  readonly header: SpendHeader;
  /** The claim behind it, when this process keeps the record locked. */
  readonly claim?: ClaimedRecord | undefined;
  write(header: SpendHeader): Promise<void>;
  /** Says of a record that is held that its custodian lives. Does nothing once anything else was written. */
  renew(leaseUntilMs: number): Promise<void>;
  /** Gives up the record's lock, if this process has it. */
  close(): void;
}

/** A record this process claimed and still keeps locked. */
export function penOfClaim(claim: ClaimedRecord, header: SpendHeader): RecordPen {
  let held = header.state === "held";
  return {
    header,
    claim,
    write(next) {
      held = next.state === "held";
      return claim.write(next);
    },
    renew: async (leaseUntilMs) => {
      if (held) await claim.write({ ...header, leaseUntilMs });
    },
    close: () => claim.close(),
  };
}

/** A record that nobody keeps locked any more. */
export function penOfRecord(
  ledger: SpendLedger,
  record: Pick<FoundRecord, "fingerprint" | "attempt">,
  header: SpendHeader,
): RecordPen {
  const found: FoundRecord = { ...record, header, writtenAtMs: header.claimedAtMs };
  return { header, write: (next) => ledger.writeHeader(found, next), async renew() {}, close() {} };
}
