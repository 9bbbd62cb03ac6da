import type { CredentialStore, LockProvider } from "../../src/index.ts";

/** A store that keeps many credentials in one file. */
export interface SharedFile {
  readonly kind: "plain" | "encrypted";
  /** Name of the file in the home, and of its lock in `locks`. */
  readonly name: string;
  readonly lock: string;
  open(home: string, locks?: LockProvider): CredentialStore;
}
