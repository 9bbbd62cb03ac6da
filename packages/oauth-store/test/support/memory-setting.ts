import {
  type CredentialEvent,
  type CredentialSession,
  type CredentialSessionOptions,
  type CredentialStore,
  createCredentialSession,
  createMemoryStore,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  type RefreshGrantInput,
  storeKey,
} from "../../src/index.ts";
import { RotatingAuthority } from "./rotating-authority.ts";
import { secretNet } from "./secret-net.ts";

export const SERVER = { serverName: "mock", serverUrl: "https://mcp.example/mcp" } as const;
export const KEY: string = storeKey(SERVER.serverName, SERVER.serverUrl);

export type Session = CredentialSession<OAuthCredential, OAuthView>;
export type SessionOptions = CredentialSessionOptions<OAuthCredential, OAuthView>;

/** A credential of the authority; `leftMs` is how long its access token is said to last. */
export function credentialOf(
  issued: { accessToken: string; refreshToken?: string | undefined },
  leftMs: number | undefined = -1000,
): OAuthCredential {
  secretNet.spelledOut(issued.accessToken);
  secretNet.spelledOut(issued.refreshToken);
  return {
    ...SERVER,
    issuer: "https://as.example",
    clientId: "client-1",
    accessToken: issued.accessToken,
    refreshToken: issued.refreshToken,
    expiresAtMs: leftMs === undefined ? undefined : Date.now() + leftMs,
    scopes: ["a"],
  };
}

export type SettingOptions = Partial<SessionOptions> & {
  /** Changes the setting's own store. */
  readonly wrap?: (inner: CredentialStore) => CredentialStore;
};

export interface Setting {
  store: CredentialStore;
  authority: RotatingAuthority;
  events: CredentialEvent[];
  grants: RefreshGrantInput<OAuthCredential>[];
  sessions: readonly Session[];
  session(options?: Partial<SessionOptions>): Session;
  save(credential: OAuthCredential): Promise<void>;
  stored(): Promise<OAuthCredential | undefined>;
}

/** Sessions on one store and one authority, with every event and grant recorded. */
export function memorySetting({ wrap = (store) => store, ...over }: SettingOptions = {}): Setting {
  const authority = new RotatingAuthority();
  const store = over.store ?? wrap(createMemoryStore());
  const sessions: Session[] = [];
  const events: CredentialEvent[] = [];
  const grants: RefreshGrantInput<OAuthCredential>[] = [];
  return {
    store,
    authority,
    events,
    grants,
    sessions,
    session(options = {}) {
      const session = createCredentialSession({
        kind: oauthCredential,
        store,
        key: KEY,
        refreshGrant: async (input) => {
          grants.push(input);
          await new Promise((resolve) => setImmediate(resolve));
          return authority.grant(input.refreshToken);
        },
        random: () => 0,
        ...over,
        ...options,
      });
      session.onEvent((event) => events.push(event));
      sessions.push(session);
      return secretNet.session(session);
    },
    save: (credential) => store.update(KEY, () => ({ write: oauthCredential.serialize(credential) })),
    async stored() {
      const entry = await store.read(KEY);
      return entry === undefined ? undefined : oauthCredential.parse(entry);
    },
  };
}
