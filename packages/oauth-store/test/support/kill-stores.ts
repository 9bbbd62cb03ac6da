import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CredentialStore } from "../../src/credential-store.ts";
import { resolveCredentialStore } from "../../src/resolve-credential-store.ts";
import { FILE_OF, storeMaker } from "./store-kinds.ts";

/** Where the credential is of which a process dies. `auto`: an encrypted file in the keyring's place, and a plain one. */
export type KillStore = "aggregate file" | "single file" | "auto";

/** The plain file of the store. */
export function plainFileOf(store: KillStore, home: string): string {
  return join(home, FILE_OF[store === "auto" ? "aggregate file" : store] ?? "");
}

/** Opens stores; all of one opener share one thread to the keyring, which nobody uses. */
export function killStores(): (store: KillStore, home: string) => CredentialStore {
  const open = storeMaker();
  return (store, home) => {
    if (store !== "auto") return open(store, home);
    // The two have locks of their own: the lock is named after the home.
    return resolveCredentialStore({
      mode: "auto",
      keyring: open("encrypted file", join(home, "keyring")),
      file: open("aggregate file", home),
    });
  };
}

/** Changes a member of the credential's entry without any lock, as a foreign program may. */
export function editEntry(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace('"client_id"', '"edited":true,"client_id"'));
}
