import type { OAuthCredential, RefreshGrant, RefreshGrantAnswer } from "@hawser/oauth-store";
import type { HttpTransport } from "@hawser/transport";
import { authorizationServerMetadata } from "./authorization-server.ts";
import { McpHttpError } from "./errors.ts";
import { type LoginPins, parsePins } from "./login-pins.ts";
import { postForm } from "./post-form.ts";
import { protectedResourceMetadata } from "./protected-resource.ts";

export interface McpRefreshGrantOptions {
  /**
   * Carries the refresh token: a fresh connection for each request (`createDispatcher({ connections: "fresh" })`), no
   * retries, no redirects, no remote executor.
   */
  readonly transport: HttpTransport;
  /** Fetches metadata where nothing was pinned. @defaultValue `transport` */
  readonly metadataTransport?: HttpTransport | undefined;
  /** The exchange with the token endpoint. @defaultValue 45_000 */
  readonly timeoutMs?: number | undefined;
}

/** What another try would find again: the login does not fit this server any more. */
const NEEDS_LOGIN: ReadonlySet<string> = new Set(["issuer-unknown", "issuer-changed"]);

/**
 * Spends the refresh token of an MCP login for `createCredentialSession`. The token goes to the endpoint that was pinned
 * at login; without a pin, to the one that the login's own issuer names now, and only while the MCP server still names
 * that issuer. It is sent once, with `resource` and without `scope`; the answer is handed over unread.
 *
 * What fails before the token could leave is answered with `sent: "no"`: the token is not lost.
 */
export function createMcpRefreshGrant(options: McpRefreshGrantOptions): RefreshGrant<OAuthCredential> {
  const { transport, metadataTransport = transport, timeoutMs = 45_000 } = options;
  return async ({ credential, refreshToken, pins, signal }): Promise<RefreshGrantAnswer> => {
    let target: LoginPins;
    try {
      target =
        parsePins(pins, credential.issuer) ?? (await discoverPins(credential, metadataTransport, signal));
    } catch (error) {
      const code = error instanceof McpHttpError ? (error.reason ?? error.code) : "aborted";
      return NEEDS_LOGIN.has(code) ? { sent: "no", code, loginNeeded: true } : { sent: "no", code };
    }
    return postForm({
      transport,
      url: target.tokenEndpoint,
      fields: {
        grant_type: "refresh_token",
        refresh_token: refreshToken,
        client_id: credential.clientId,
        resource: target.resource,
      },
      timeoutMs,
      signal,
    });
  };
}

/** For a login that another program stored: only what its issuer says of itself counts. */
async function discoverPins(
  { issuer, serverUrl: url }: OAuthCredential,
  transport: HttpTransport,
  signal: AbortSignal,
): Promise<LoginPins> {
  if (issuer === undefined) throw unusable("issuer-unknown", "the login does not say who issued it");
  const serverUrl = new URL(url);
  const resource = await protectedResourceMetadata({ serverUrl, transport, signal });
  if (resource?.issuer !== undefined && resource.issuer !== issuer) {
    throw unusable("issuer-changed", "the server has another authorization server now");
  }
  const server = await authorizationServerMetadata({ issuer, serverUrl, transport, signal });
  if (server === undefined) throw unusable("no-metadata", "the authorization server has no metadata");
  return { issuer, tokenEndpoint: server.tokenEndpoint, resource: resource?.resource ?? url };
}

function unusable(reason: string, text: string): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_DISCOVERY", text, { reason });
}
