import { type CredentialStore, createAggregateFileStore, type LockProvider } from "../../src/index.ts";

/** A store in the file at this path, under a lock of its own beside it. */
export function fileStoreAt(path: string, locks?: LockProvider): CredentialStore {
  return createAggregateFileStore({ path, lockPath: `${path}.lock`, locks });
}
