import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  createAggregateFileStore,
  createCredentialSession,
  createKeyringStore,
  isCredentialError,
  oauthCredential,
  resolveCredentialStore,
} from "../../src/index.ts";

/** What a session with the mode given meets where optional packages are not installed. */
const port = connectParent();
const [, , home = "", key = "", mode = "auto"] = process.argv;
const events: string[] = [];
const store = resolveCredentialStore({
  mode: mode === "file" ? "file" : "auto",
  keyring: createKeyringStore({ service: "S", lockDirectory: `${home}/locks` }),
  file: createAggregateFileStore({
    path: `${home}/.credentials.json`,
    lockPath: `${home}/locks/file-store.lock`,
  }),
  onEvent: (event) => events.push(event.type),
});
let grants = 0;
const session = createCredentialSession({
  kind: oauthCredential,
  store,
  key,
  home,
  refreshGrant: async () => {
    grants += 1;
    return { sent: "no", code: "never" };
  },
});
const failure = (error: unknown) =>
  isCredentialError(error) ? { code: error.code, message: error.message } : { code: String(error) };
const used = await session.ensureFresh().then(() => "used", failure);
const saved = await store.update(key, () => ({ write: 1 })).then(() => "saved", failure);
port.send({ used, saved, grants, events });
port.close();
