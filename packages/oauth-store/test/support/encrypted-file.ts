import { join } from "node:path";
// Not the index: children start faster with less.
import { createEncryptedFileStore } from "../../src/encrypted-file-store.ts";
import type { SharedFile } from "./shared-file.ts";

export const encryptedFile: SharedFile = {
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
};
