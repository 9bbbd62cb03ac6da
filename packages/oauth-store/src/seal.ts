import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** What a sealed body is bound to: it opens for this token of this login and for nothing else. */
export interface SealContext {
  readonly storeKey: string;
  /** Of the issuer and the client that asked. */
  readonly clientHash: string;
  readonly lineage: string;
  readonly fingerprint: string;
}

const MAGIC = Buffer.from("HWSEAL1\n");
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LENGTH_AT = MAGIC.length;
const SALT_AT = LENGTH_AT + 4;
const NONCE_AT = SALT_AT + SALT_BYTES;
const TEXT_AT = NONCE_AT + NONCE_BYTES;

/**
 * Shortest refresh token that can seal: 128 bits of plausible length. A key made of less could be guessed from the
 * record.
 */
export const MIN_SEALING_LENGTH = 22;

/**
 * Encrypts an answer under the refresh token that was spent for it: AES-256-GCM, key by HKDF with a random salt. Done
 * here is all that can be done before there is an answer; what it returns works once.
 */
export function prepareSeal(spent: string, context: SealContext): (plain: Uint8Array) => Uint8Array {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", sealingKey(spent, salt), nonce);
  cipher.setAAD(associatedData(context));
  return (plain) => {
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return Buffer.concat([MAGIC, length, salt, nonce, text, cipher.getAuthTag()]);
  };
}

/** The answer, or undefined: nothing sealed here, torn, or sealed for something else. */
export function unseal(body: Uint8Array, spent: string, context: SealContext): Uint8Array | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length < TEXT_AT + TAG_BYTES || !bytes.subarray(0, LENGTH_AT).equals(MAGIC)) return undefined;
  const end = TEXT_AT + bytes.readUInt32BE(LENGTH_AT);
  if (end + TAG_BYTES > bytes.length) return undefined;
  const salt = bytes.subarray(SALT_AT, NONCE_AT);
  const decipher = createDecipheriv(
    "aes-256-gcm",
    sealingKey(spent, salt),
    bytes.subarray(NONCE_AT, TEXT_AT),
    {
      authTagLength: TAG_BYTES,
    },
  );
  decipher.setAAD(associatedData(context));
  decipher.setAuthTag(bytes.subarray(end, end + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT, end)), decipher.final()]);
  } catch {
    return undefined; // The tag does not fit; that is the answer.
  }
}

function sealingKey(spent: string, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", spent, salt, "hawser oauth-store successor v1", 32));
}

function associatedData(context: SealContext): Uint8Array {
  const { storeKey, clientHash, lineage, fingerprint } = context;
  return Buffer.from(JSON.stringify([storeKey, clientHash, lineage, fingerprint]));
}
