import type { HttpRequest } from "@hawser/transport";
import { type ScriptedReply, type ScriptedTransport, scriptedTransport } from "@hawser/transport/testing";

export const serverUrl = "https://mcp.test/tenant/mcp";
export const issuer = "https://as.test/realm";

export interface ScriptedAuthority {
  readonly transport: ScriptedTransport;
  /** `GET https://…` of everything that was asked for. */
  readonly log: readonly string[];
  readonly metadata: Record<string, unknown>;
  readonly resource: Record<string, unknown>;
  /** Answers before anything else. */
  override: ((request: HttpRequest) => ScriptedReply | undefined) | undefined;
}

/** An MCP server and its authorization server, as far as a login sees them, without a socket. */
export function scriptedAuthority(): ScriptedAuthority {
  const log: string[] = [];
  const answers = new Map<string, () => ScriptedReply>([
    [
      `GET ${serverUrl}`,
      () => ({
        status: 401,
        headers: [
          [
            "www-authenticate",
            'Bearer resource_metadata="https://mcp.test/prm", scope="tools:read tools:read tools:call"',
          ],
        ],
      }),
    ],
    ["GET https://mcp.test/prm", () => ({ body: { json: authority.resource } })],
    [
      "GET https://as.test/.well-known/oauth-authorization-server/realm",
      () => ({ body: { json: authority.metadata } }),
    ],
    ["POST https://as.test/register", () => ({ status: 201, body: { json: { client_id: "registered" } } })],
    [
      "POST https://as.test/token",
      () => ({
        body: {
          json: {
            access_token: "planted-access-token",
            refresh_token: "planted-refresh-token",
            token_type: "bearer",
            expires_in: 60,
          },
        },
      }),
    ],
  ]);
  const authority: ScriptedAuthority = {
    log,
    override: undefined,
    resource: { resource: serverUrl, authorization_servers: [issuer], scopes_supported: ["tools:read"] },
    metadata: {
      issuer,
      authorization_endpoint: "https://as.test/authorize?keep=1",
      token_endpoint: "https://as.test/token",
      registration_endpoint: "https://as.test/register",
      code_challenge_methods_supported: ["plain", "S256"],
      authorization_response_iss_parameter_supported: true,
    },
    transport: scriptedTransport((request) => {
      const line = `${request.method} ${request.url.href}`;
      log.push(line);
      return authority.override?.(request) ?? answers.get(line)?.() ?? { status: 404 };
    }),
  };
  return authority;
}

/** The fields of the form that was posted to the token endpoint, last first. */
export function postedForms({ transport }: ScriptedAuthority): readonly Record<string, string>[] {
  return transport.seen
    .filter(({ url }) => url.pathname === "/token")
    .map(({ body }) => Object.fromEntries(new URLSearchParams(body as string)))
    .reverse();
}
