import { loginMcpServer, probeAuthStatus } from "@hawser/mcp-http";
import { type HttpTransport, headerValue } from "@hawser/transport";
import type { McpAccess, McpSession } from "./mcp-access.ts";
import { staticHeaders } from "./mcp-headers.ts";
import type { McpServer } from "./mcp-server.ts";

export interface McpAccessOptions {
  readonly sessions: ReadonlyMap<string, McpSession>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For discovery, registration and the exchange of a code. */
  readonly transport: HttpTransport;
}

/** Logins of MCP servers, each at its own authorization server. */
export function createMcpAccess({ sessions, env, transport }: McpAccessOptions): McpAccess {
  const hasFixedBearer = ({ config }: McpServer): boolean =>
    headerValue(staticHeaders(config, env), "authorization") !== undefined;
  return {
    async statusOf(server) {
      const session = sessions.get(server.name);
      if (hasFixedBearer(server)) return "bearerToken";
      if (session === undefined || server.config.url === undefined) return "unsupported";
      const { state } = await session.status();
      if (state === "usable") return "oAuth";
      // It answers without a login: whether it could have one is not worth asking each time.
      if (server.isReady) return "unsupported";
      return probeAuthStatus({ serverUrl: server.config.url, transport, session });
    },
    login(server, { scopes, signal }) {
      const session = sessions.get(server.name);
      const { urlText } = server.config;
      if (session === undefined || urlText === undefined || hasFixedBearer(server)) return undefined;
      return loginMcpServer({
        serverName: server.name,
        serverUrl: urlText,
        transport,
        session,
        scopes,
        clientName: "Hawser",
        signal,
      });
    },
  };
}
