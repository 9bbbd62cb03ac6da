import type { Engine } from "./engine.ts";
import type { StoredCredential } from "./look.ts";
import { penOfClaim, penOfRecord, type RecordPen } from "./record-pen.ts";
import { MIN_SEALING_LENGTH, prepareSeal } from "./seal.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord } from "./spend-ledger.ts";

/** Turns an answer into the body of a record; works once. */
export type Sealing = (plain: Uint8Array) => Uint8Array;

/** Made before the send, so that next to nothing lies between an answer's receipt and its seal. */
export function sealingOf<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C> & { readonly refreshToken: string },
): Sealing | undefined {
  const { refreshToken, clientHash, identity, marks } = stored;
  if (refreshToken.length < MIN_SEALING_LENGTH) return undefined;
  return prepareSeal(refreshToken, {
    storeKey: engine.key,
    clientHash,
    lineage: identity.lineage,
    fingerprint: marks.fingerprint ?? "",
  });
}

/** Step 9: seals the answer; where that cannot be, this process holds it, and keeps the record locked. */
export async function keepAnswer<C, V>(
  engine: Engine<C, V>,
  claim: ClaimedRecord,
  sealing: Sealing | undefined,
  header: SpendHeader,
  text: string,
): Promise<RecordPen> {
  const sealed: SpendHeader = { ...header, state: "sealed" };
  if (sealing) {
    const plain = Buffer.from(JSON.stringify({ receivedAtMs: header.receivedAtMs, answer: text }));
    try {
      await claim.seal(sealed, sealing(plain));
      claim.close();
      return penOfRecord(engine.ledger, claim, sealed);
    } catch {
      // Not sealed: from here on the answer lives in this process only.
    }
  } else engine.emit({ type: "unsealed", code: "short-refresh-token" });
  const held: SpendHeader = { ...header, state: "held" };
  try {
    await claim.write(held);
  } catch {
    // It still says claimed, and stays locked: nobody sends anything while we live.
  }
  return penOfClaim(claim, held);
}
