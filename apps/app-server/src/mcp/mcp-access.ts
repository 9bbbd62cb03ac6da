import type { loginMcpServer, probeAuthStatus } from "@hawser/mcp-http";
import type { CredentialSession, OAuthCredential, OAuthView } from "@hawser/oauth-store";
import type { McpServer } from "./mcp-server.ts";

/** What a client is told of a server's login. */
type McpAuthStatus = Awaited<ReturnType<typeof probeAuthStatus>>;
export type McpLogin = Awaited<ReturnType<typeof loginMcpServer>>;
export type McpSession = CredentialSession<OAuthCredential, OAuthView>;

/** The logins of MCP servers; `compose.ts` makes it. */
export interface McpAccess {
  statusOf(server: McpServer): Promise<McpAuthStatus>;
  /** Undefined for a server that has no login of its own: a fixed bearer, or a kind that is not supported. */
  login(
    server: McpServer,
    options: { readonly scopes?: readonly string[] | undefined; readonly signal: AbortSignal },
  ): Promise<McpLogin> | undefined;
}
