import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createEncryptedFileStore } from "../../src/encrypted-file-store.ts";
import { createAggregateFileStore, resolveCredentialStore } from "../../src/index.ts";

/** Reads a credential with the store `auto`, as somebody who is not root. */
const port = connectParent();
const [, , home = "", key = ""] = process.argv;
const uid = process.env["HAWSER_TEST_UID"];
if (uid) process.setuid?.(Number(uid));
const store = resolveCredentialStore({
  mode: "auto",
  keyring: createEncryptedFileStore({
    path: `${home}/secrets/credentials.enc`,
    lockPath: `${home}/locks/secrets-store.lock`,
    key: { file: `${home}/credentials.key` },
  }),
  file: createAggregateFileStore({
    path: `${home}/.credentials.json`,
    lockPath: `${home}/locks/file-store.lock`,
  }),
});
port.send(
  await store.read(key).then(
    (entry) => ({ entry, place: store.resolution(key) }),
    (error: { code: string; reason?: string }) => ({ code: error.code, reason: error.reason }),
  ),
);
port.close();
