import { notSent } from "./counting-record.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord } from "./spend-ledger.ts";

/**
 * Gives a claim back: nothing was sent. The record stays, so that its number is not claimed a second time by
 * somebody who judged before. One that cannot be written counts as a claim of the dead.
 */
export async function standDown(claim: ClaimedRecord, header: SpendHeader): Promise<void> {
  try {
    await claim.write(notSent(header));
  } catch {
    // See above.
  } finally {
    claim.close();
  }
}
