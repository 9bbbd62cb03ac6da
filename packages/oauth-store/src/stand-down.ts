import { isNotSent, notSent } from "./counting-record.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord, SpendLedger } from "./spend-ledger.ts";

/**
 * Gives a claim back: nothing was sent. The record stays, so that its number is not claimed a second time by
 * somebody who judged before; the last does that for all. One that cannot be written counts as a claim of the dead.
 */
export async function standDown(
  ledger: SpendLedger,
  claim: ClaimedRecord,
  header: SpendHeader,
): Promise<void> {
  try {
    await claim.write(notSent(header));
    for (const record of await ledger.attempts(header.fingerprint)) {
      if (isNotSent(record.header) && record.attempt < header.attempt) await ledger.remove(record);
    }
  } catch {
    // See above.
  } finally {
    claim.close();
  }
}
