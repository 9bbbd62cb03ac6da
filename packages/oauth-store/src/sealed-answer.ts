import { parseAnswer } from "./classify-answer.ts";
import type { JsonValue } from "./credential-kind.ts";
import type { Engine } from "./engine.ts";
import type { StoredCredential } from "./look.ts";
import { unseal } from "./seal.ts";

/** An answer that is sealed in a record, or only in this process. */
export interface SealedAnswer {
  readonly json: JsonValue;
  readonly receivedAtMs: number;
  readonly freshRejectionAtMs?: number | undefined;
}

/** Opens the body of a record with the refresh token the store holds; undefined when it does not open. */
export function openSealed<C, V>(
  engine: Pick<Engine<C, V>, "key">,
  stored: StoredCredential<C>,
  body: Uint8Array,
): SealedAnswer | undefined {
  const { refreshToken, record, clientHash, identity } = stored;
  if (refreshToken === undefined || !record) return undefined;
  const plain = unseal(body, refreshToken, {
    storeKey: engine.key,
    // Who asked, not who is configured here or is named beside the same refresh token by now.
    clientHash: record.header?.clientHash ?? clientHash,
    lineage: record.header?.lineage ?? identity.lineage,
    fingerprint: record.fingerprint,
  });
  if (!plain) return undefined;
  const { receivedAtMs, answer } = JSON.parse(Buffer.from(plain).toString("utf8")) as {
    receivedAtMs: number;
    answer: string;
  };
  return { json: parseAnswer(answer), receivedAtMs };
}
