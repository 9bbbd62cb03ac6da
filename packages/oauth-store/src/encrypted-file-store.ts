import { createSecretKey, randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { createEntriesStore } from "./create-entries-store.ts";
import type { CredentialStore } from "./credential-store.ts";
import { decryptText, type EncryptedText, encryptText, parseEncrypted } from "./encrypted-text.ts";
import { type EncryptionKey, type EncryptionKeyPlace, encryptionKeySource } from "./encryption-key.ts";
import { isJsonObject } from "./entry-name.ts";
import { CredentialError } from "./errors.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText } from "./json-text.ts";
import type { LockProvider } from "./lock-provider.ts";
import { assertFileSize, printForFile } from "./print-for-file.ts";

/** Where the file, its lock and its key are: the same for all programs that share it. */
export interface EncryptedFileStoreOptions {
  /** The file, in a format of its own. */
  readonly path: string;
  /** The lock that every program writing this file takes for its whole read-modify-write. */
  readonly lockPath: string;
  /**
   * Where the key is. It is made, there, when the first credential is saved. Files that share one in the keyring have
   * their locks in one directory.
   */
  readonly key: EncryptionKeyPlace;
  /** What takes that lock. @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
}

const MAX_DEPTH = 256;

/**
 * All credentials in one encrypted file, AES-256-GCM, in a format of its own. A file that cannot be opened is
 * `ERR_OAUTH_STORE_UNDECRYPTABLE`: it is never taken for an absent one, never written over and never moved aside.
 * Another program's age file is `ERR_OAUTH_STORE_UNSUPPORTED`. What is no encrypted file at all is
 * `ERR_OAUTH_STORE_CORRUPT`, and moved aside by a login or logout. The key is kept in memory between uses.
 */
export function createEncryptedFileStore(options: EncryptedFileStoreOptions): CredentialStore {
  const { path, lockPath, key: place, locks = flockProvider() } = options;
  const source = encryptionKeySource(place, { locks, lockDirectory: dirname(lockPath) });
  let known: EncryptionKey | undefined;

  async function keyFor(envelope: EncryptedText): Promise<EncryptionKey> {
    if (known?.id === envelope.key) return known;
    const found = await source.read();
    if (!found) throw undecryptable(path, "key-missing");
    if (found.id !== envelope.key) throw undecryptable(path, "other-key");
    known = found;
    return found;
  }

  function encrypted(text: string, key: EncryptionKey): string {
    const envelope = encryptText(text, key);
    assertFileSize(envelope, path); // A third larger than the text.
    return envelope;
  }

  return createEntriesStore({
    name: "encrypted-file",
    path,
    lockPath,
    locks,
    codec: {
      async decode(text) {
        const envelope = parseEncrypted(text);
        if (envelope === "corrupt") return "corrupt";
        if (envelope === "age" || envelope === "newer") throw unsupported(path, envelope);
        const plain = decryptText(envelope, await keyFor(envelope));
        if (plain === undefined) throw undecryptable(path, "damaged");
        try {
          const entries = parseJsonText(plain, { maxDepth: MAX_DEPTH });
          if (isJsonObject(entries)) return { entries, text: plain };
        } catch {
          // Opened and no entries: somebody who has the key wrote something else. It is not to be lost.
        }
        throw undecryptable(path, "content");
      },
      async encode(entries, { before, rehearsal, faultPoint }) {
        const text = printForFile(entries, path, { maxDepth: MAX_DEPTH, before });
        const first = before === undefined;
        // With a file there, it was opened with the key that is known.
        if (first) known = await source.read();
        if (!known && !first) throw undecryptable(path, "key-missing");
        if (rehearsal && !known) return encrypted(text, anyKey());
        known ??= await source.create(faultPoint);
        return encrypted(text, known);
      },
      settled: () => source.settled(),
    },
  });
}

/** For measuring: nothing that is written with it is kept. */
function anyKey(): EncryptionKey {
  return { id: "0".repeat(16), key: createSecretKey(randomBytes(32)) };
}

function undecryptable(path: string, reason: string): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_UNDECRYPTABLE",
    `${path} is there and cannot be opened (${reason}): bring its key back, or remove the file to start anew`,
    { reason },
  );
}

function unsupported(path: string, format: "age" | "newer"): CredentialError {
  const what =
    format === "age" ? "an age file of another program" : "of a newer format than this version knows";
  return new CredentialError("ERR_OAUTH_STORE_UNSUPPORTED", `${path} is ${what}`, { reason: format });
}
