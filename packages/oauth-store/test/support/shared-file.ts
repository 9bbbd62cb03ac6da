import { join } from "node:path";
import {
  type CredentialStore,
  createAggregateFileStore,
  createEncryptedFileStore,
  type LockProvider,
} from "../../src/index.ts";

export interface SharedFile {
  readonly kind: "plain" | "encrypted";
  /** Name of the file in the home, and of its lock in `locks`. */
  readonly name: string;
  readonly lock: string;
  open(home: string, locks?: LockProvider): CredentialStore;
}

/** The stores that keep many credentials in one file. */
export const SHARED_FILES: readonly SharedFile[] = [
  {
    kind: "plain",
    name: ".credentials.json",
    lock: "file-store.lock",
    open: (home, locks) =>
      createAggregateFileStore({
        path: join(home, ".credentials.json"),
        lockPath: join(home, "locks", "file-store.lock"),
        locks,
      }),
  },
  {
    kind: "encrypted",
    name: "credentials.enc",
    lock: "secrets-store.lock",
    open: (home, locks) =>
      createEncryptedFileStore({
        path: join(home, "credentials.enc"),
        lockPath: join(home, "locks", "secrets-store.lock"),
        key: { file: join(home, "credentials.key") },
        locks,
      }),
  },
];
