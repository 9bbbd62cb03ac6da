import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  createAggregateFileStore,
  createCredentialSession,
  createKeyringStore,
  oauthCredential,
  resolveCredentialStore,
} from "../../src/index.ts";
import { CANARY } from "../support/canary.ts";

/** A login, a status and a logout, with the store `auto` and the keyring of a machine that has none. */
const port = connectParent();
const [, , home = ""] = process.argv;
const key = "mock|0";
const warnings = new Set<string>();
const store = resolveCredentialStore({
  mode: "auto",
  keyring: createKeyringStore({ service: "S", lockDirectory: `${home}/locks` }),
  file: createAggregateFileStore({
    path: `${home}/.credentials.json`,
    lockPath: `${home}/locks/file-store.lock`,
  }),
  onEvent: (event) => event.type === "fallback" && warnings.add(event.code),
});
const session = createCredentialSession({
  kind: oauthCredential,
  store,
  key,
  home,
  refreshGrant: () => Promise.reject(new Error("not called")),
});
const before = (await session.status()).state;
await session.login({
  serverName: "mock",
  serverUrl: "https://mcp.example/mcp",
  clientId: "c",
  accessToken: `at-${CANARY}`,
  refreshToken: `rt-${CANARY}-of-the-headless`,
  scopes: [],
});
const after = (await session.status()).state;
const place = store.resolution(key);
const logout = await session.logout();
const end = (await session.status()).state;
port.send({ before, after, place, logout, end, warnings: [...warnings] });
await session[Symbol.asyncDispose]();
port.close();
