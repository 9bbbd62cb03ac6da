import type { Engine } from "./engine.ts";

/** A refresh token that was just issued has not been spent, whatever is on record of the same text. */
export async function forgetSpending<C, V>(
  { ledger }: Engine<C, V>,
  fingerprint: string | undefined,
): Promise<void> {
  if (fingerprint === undefined) return;
  for (const record of await ledger.attempts(fingerprint)) await ledger.remove(record);
}
