import { createEntriesStore } from "./create-entries-store.ts";
import type { CredentialStore } from "./credential-store.ts";
import { isJsonObject } from "./entry-name.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText } from "./json-text.ts";
import type { LockProvider } from "./lock-provider.ts";
import { printForFile } from "./print-for-file.ts";

/** Where the file and its lock are: the same for all programs that share it. */
export interface AggregateFileStoreOptions {
  /** The file: one JSON object, store key to entry. */
  readonly path: string;
  /** The lock that every program writing this file takes for its whole read-modify-write. */
  readonly lockPath: string;
  /** What takes that lock. @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
}

const MAX_DEPTH = 256;

/**
 * All credentials in one file, the way other programs share it. Entries and members it does not know are kept as
 * they are. Reading takes no lock, except to tell a file that is just being written by another program from one
 * that is broken. A broken file, or one over 16 MiB, is `ERR_OAUTH_STORE_CORRUPT`; a login or logout moves it aside,
 * under the lock, to `<file>.corrupt-<ms>`, which is never deleted.
 */
export function createAggregateFileStore(options: AggregateFileStoreOptions): CredentialStore {
  const { path, lockPath, locks = flockProvider() } = options;
  return createEntriesStore({
    name: "file",
    path,
    lockPath,
    locks,
    codec: {
      decode(text) {
        try {
          const entries = parseJsonText(text, { maxDepth: MAX_DEPTH });
          return isJsonObject(entries) ? { entries, text } : "corrupt";
        } catch {
          return "corrupt"; // What it was is of no use to anybody, and may quote a secret.
        }
      },
      encode: (entries, { before }) => printForFile(entries, path, { maxDepth: MAX_DEPTH, before }),
    },
  });
}
