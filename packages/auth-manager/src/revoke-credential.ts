import type { HeaderList, HttpTransport } from "@hawser/transport";
import type { AccountCredential } from "./account-credential.ts";
import { AuthManagerError } from "./errors.ts";

const revokeTimeoutMs = 10_000;

export interface RevokeOptions {
  readonly transport: HttpTransport;
  readonly revokeUrl: URL;
  /** Used when the login does not say which client it belongs to. */
  readonly clientId: string;
  readonly identity: () => HeaderList;
}

/**
 * Tells the authorization server to forget a login (RFC 7009, as JSON): its refresh token or, without one, its access
 * token. Does nothing for an API key. Throws `ERR_AUTH_MANAGER_REVOKE` after 10 s or any status but 2xx.
 */
export async function revokeCredential(credential: AccountCredential, options: RevokeOptions): Promise<void> {
  const { transport, revokeUrl, clientId, identity } = options;
  const body = revocation(credential, clientId);
  if (body === undefined) return;
  const status = await transport
    .send({
      method: "POST",
      url: revokeUrl,
      headers: [["content-type", "application/json"], ["accept", "*/*"], ...identity()],
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(revokeTimeoutMs),
    })
    .then(async (response) => {
      await response.cancel();
      return response.status;
    })
    // Foreign errors may quote the body, which holds the token.
    .catch(() => undefined);
  if (status !== undefined && status >= 200 && status < 300) return;
  throw new AuthManagerError(
    "ERR_AUTH_MANAGER_REVOKE",
    "The authorization server was not told of the logout.",
    {
      retry: "never",
      status,
    },
  );
}

function revocation(credential: AccountCredential, clientId: string): Record<string, string> | undefined {
  if (credential.method !== "chatgpt") return undefined;
  const { refreshToken, bearer } = credential;
  if (refreshToken !== undefined) {
    return {
      token: refreshToken,
      token_type_hint: "refresh_token",
      client_id: credential.provenance?.clientId ?? clientId,
    };
  }
  return bearer === undefined ? undefined : { token: bearer, token_type_hint: "access_token" };
}
