import type { HttpTransport } from "@hawser/transport";
import { type AuthorizationServer, authorizationServerMetadata } from "./authorization-server.ts";
import { bearerParameter, challengesOf } from "./challenge.ts";
import { McpHttpError } from "./errors.ts";
import { protectedResourceMetadata } from "./protected-resource.ts";

export interface DiscoverOptions {
  readonly serverUrl: URL;
  /** Sends to whatever the server names: give it one with an egress policy. */
  readonly transport: HttpTransport;
  readonly signal?: AbortSignal | undefined;
}

/** How to log in at an MCP server. */
export interface AuthorizationFacts {
  /** The `resource` parameter (RFC 8707): as the server's metadata has it, letter for letter. */
  readonly resource: string;
  readonly server: AuthorizationServer;
  /** What the server asks for, in its challenge or else in its metadata. Chosen by the server. */
  readonly scopes: readonly string[];
}

/**
 * Finds the authorization server of an MCP server: its challenge, its protected resource metadata (RFC 9728), and the
 * metadata of the authorization server that names (RFC 8414, OpenID Connect Discovery). Undefined when the server
 * offers no authorization. Throws `ERR_MCP_HTTP_DISCOVERY`.
 */
export async function discoverAuthorization(
  options: DiscoverOptions,
): Promise<AuthorizationFacts | undefined> {
  const { serverUrl, transport, signal } = options;
  const challenges = await askForChallenge(options);
  const metadataUrl = bearerParameter(challenges, "resource_metadata");
  const scope = bearerParameter(challenges, "scope");
  const resource = await protectedResourceMetadata({ serverUrl, metadataUrl, transport, signal });
  // A server older than RFC 9728 is its own authorization server (MCP 2025-03-26).
  const issuer = resource?.issuer ?? serverUrl.origin;
  const server = await authorizationServerMetadata({ issuer, serverUrl, transport, signal });
  if (server === undefined) {
    if (resource === undefined) return undefined;
    throw new McpHttpError("ERR_MCP_HTTP_DISCOVERY", "the authorization server has no metadata", {
      reason: "no-metadata",
    });
  }
  return {
    resource: resource?.resource ?? serverUrl.href,
    server,
    scopes: scope === undefined ? (resource?.scopes ?? []) : words(scope),
  };
}

/** What the server answers to somebody who shows no login. */
async function askForChallenge({ serverUrl, transport, signal }: DiscoverOptions) {
  try {
    const response = await transport.send({
      method: "GET",
      url: serverUrl,
      headers: [
        ["accept", "application/json, text/event-stream"],
        ["mcp-protocol-version", "2024-11-05"],
      ],
      signal,
      limits: { totalTimeoutMs: 5_000 },
    });
    await response.cancel();
    return response.status === 401 ? challengesOf(response.headers) : [];
  } catch {
    signal?.throwIfAborted();
    const text = `no answer from ${JSON.stringify(serverUrl.origin)}`;
    throw new McpHttpError("ERR_MCP_HTTP_DISCOVERY", text, { reason: "unreachable", retry: "after" });
  }
}

/** Scope tokens, each once. */
export function words(scope: string): readonly string[] {
  return [...new Set(scope.split(" ").filter((word) => word !== ""))];
}
