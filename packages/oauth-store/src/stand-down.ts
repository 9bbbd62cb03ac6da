import type { ClaimedRecord } from "./spend-ledger.ts";

/** Gives a claim back: nothing was sent. A record that cannot be removed counts as a claim of the dead. */
export async function standDown(claim: ClaimedRecord): Promise<void> {
  try {
    await claim.discard();
  } catch {
    claim.close();
  }
}
