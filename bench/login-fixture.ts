import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { CredentialSessionOptions } from "@hawser/oauth-store";
import {
  type CredentialStore,
  createAggregateFileStore,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  type RefreshGrantAnswer,
  storeKey,
} from "@hawser/oauth-store";

const SERVER_URL = "https://mcp.example/mcp";
export const KEY = storeKey("bench", SERVER_URL);
export const HOUR = 3_600_000;

/** What a process of the package's user would have on disk. */
export function fileStore(home: string): CredentialStore {
  return createAggregateFileStore({
    path: join(home, ".credentials.json"),
    lockPath: join(home, "locks", "file-store.lock"),
  });
}

export function credential(leftMs: number, refreshToken: string = newToken()): OAuthCredential {
  return {
    serverName: "bench",
    serverUrl: SERVER_URL,
    clientId: "client",
    accessToken: "access-0",
    refreshToken,
    expiresAtMs: Date.now() + leftMs,
    scopes: [],
  };
}

export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

export async function save(store: CredentialStore, one: OAuthCredential): Promise<void> {
  await store.update(KEY, () => ({ write: oauthCredential.serialize(one) }));
}

/** A grant, reduced to what the benches vary. */
export type Grant = (refreshToken: string) => Promise<RefreshGrantAnswer>;

export function sessionOptions(
  store: CredentialStore,
  home: string | undefined,
  grant: Grant,
): CredentialSessionOptions<OAuthCredential, OAuthView> {
  return {
    kind: oauthCredential,
    store,
    key: KEY,
    home,
    refreshGrant: ({ refreshToken }) => grant(refreshToken),
  };
}
