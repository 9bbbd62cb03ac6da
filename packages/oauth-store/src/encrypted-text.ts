import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { z } from "zod";
import type { EncryptionKey } from "./encryption-key.ts";
import { parseJsonText } from "./json-text.ts";

/** What the file shows: which key opens it, and what was locked with it. */
export interface EncryptedText {
  readonly version: 1;
  readonly cipher: "AES-256-GCM";
  /** The key's id. */
  readonly key: string;
  readonly salt: string;
  readonly nonce: string;
  /** The text and its tag. */
  readonly data: string;
}

const VERSION = 1;
const TAG_BYTES = 16;

const envelopeSchema = z.strictObject({
  version: z.literal(VERSION),
  cipher: z.literal("AES-256-GCM"),
  key: z.string().regex(/^[0-9a-f]{16}$/),
  salt: z.base64().length(44),
  nonce: z.base64().length(16),
  data: z.base64(),
});
const anyVersion = z.looseObject({ version: z.number().int().positive(), cipher: z.string() });

/** The envelope; or whose format it is, when it is not this one. */
export function parseEncrypted(text: string): EncryptedText | "age" | "newer" | "corrupt" {
  if (text.startsWith("age-encryption.org/") || text.startsWith("-----BEGIN AGE ENCRYPTED FILE-----"))
    return "age";
  let parsed: unknown;
  try {
    parsed = parseJsonText(text, { maxDepth: 4 });
  } catch {
    return "corrupt";
  }
  const envelope = envelopeSchema.safeParse(parsed);
  if (envelope.success) return envelope.data;
  const other = anyVersion.safeParse(parsed);
  return other.success && other.data.version > VERSION ? "newer" : "corrupt";
}

/** AES-256-GCM under a key made for this text alone: HKDF of the key and a random salt. */
export function encryptText(text: string, { id, key }: EncryptionKey): string {
  const salt = randomBytes(32);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", textKey(key, salt), nonce);
  cipher.setAAD(associatedData(id));
  const data = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  const envelope: EncryptedText = {
    version: VERSION,
    cipher: "AES-256-GCM",
    key: id,
    salt: salt.toString("base64"),
    nonce: nonce.toString("base64"),
    data: data.toString("base64"),
  };
  return JSON.stringify(envelope);
}

/** The text, or undefined: another key, or not as it was written. */
export function decryptText(envelope: EncryptedText, { id, key }: EncryptionKey): string | undefined {
  const data = Buffer.from(envelope.data, "base64");
  if (envelope.key !== id || data.length < TAG_BYTES) return undefined;
  const nonce = Buffer.from(envelope.nonce, "base64");
  const decipher = createDecipheriv(
    "aes-256-gcm",
    textKey(key, Buffer.from(envelope.salt, "base64")),
    nonce,
    {
      authTagLength: TAG_BYTES,
    },
  );
  decipher.setAAD(associatedData(id));
  decipher.setAuthTag(data.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch {
    return undefined; // The tag does not fit; that is the answer.
  }
}

function textKey(key: KeyObject, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, salt, "hawser oauth-store file v1", 32));
}

function associatedData(id: string): Uint8Array {
  return Buffer.from(JSON.stringify(["hawser oauth-store file", VERSION, id]));
}
