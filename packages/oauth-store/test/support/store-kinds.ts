import { join } from "node:path";
// Not the index: children start faster with less.
import { createAggregateFileStore } from "../../src/aggregate-file-store.ts";
import type { CredentialStore } from "../../src/credential-store.ts";
import { createEncryptedFileStore } from "../../src/encrypted-file-store.ts";
import type { KeyringProvider } from "../../src/keyring-provider.ts";
import { createKeyringStore } from "../../src/keyring-store.ts";
import { createSingleFileStore } from "../../src/single-file-store.ts";
import { systemKeyring } from "../../src/system-keyring.ts";

/** Every store that outlives its process. The last two need a keyring. */
export type StoreKind =
  | "aggregate file"
  | "single file"
  | "encrypted file"
  | "encrypted file with its key in the keyring"
  | "keyring";

/** Its file in the home; a keyring has none. */
export const FILE_OF: Readonly<Partial<Record<StoreKind, string>>> = {
  "aggregate file": ".credentials.json",
  "single file": "auth.json",
  "encrypted file": "credentials.enc",
  "encrypted file with its key in the keyring": "credentials.enc",
};

/** The stores of homes; all of one maker share one thread to the keyring. */
export function storeMaker(
  keyring: KeyringProvider = systemKeyring(),
): (kind: StoreKind, home: string) => CredentialStore {
  return (kind, home) => {
    const path = join(home, FILE_OF[kind] ?? "");
    const lockDirectory = join(home, "locks");
    const lockPath = join(lockDirectory, "store.lock");
    if (kind === "aggregate file") return createAggregateFileStore({ path, lockPath });
    if (kind === "single file") return createSingleFileStore({ path, lockPaths: [lockPath] });
    if (kind === "keyring") return createKeyringStore({ service: home, lockDirectory, keyring });
    const inFile = { file: join(home, "credentials.key") };
    const inKeyring = { keyring: { service: home, account: "key", provider: keyring } };
    return createEncryptedFileStore({
      path,
      lockPath,
      key: kind === "encrypted file" ? inFile : inKeyring,
    });
  };
}
