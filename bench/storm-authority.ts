import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { newToken } from "./login-fixture.ts";

const ANSWER_AFTER_MS = 20;

/** An authorization server with one-time refresh tokens; a second use of one ends the login. */
export interface StormAuthority {
  /** Of the server that is protected; the token endpoint is `/token` beside it. */
  readonly serverUrl: string;
  /** A new login: its refresh token. */
  login(): string;
  /** Since the last login. */
  grants(): number;
  isLive(refreshToken: string | undefined): boolean;
  close(): void;
}

export async function startStormAuthority(): Promise<StormAuthority> {
  let live = "";
  let grants = 0;
  const used = new Set<string>();
  const grant = (presented: string): [status: number, said: unknown] => {
    grants += 1;
    if (used.has(presented)) live = ""; // Reuse: the family is revoked.
    if (presented !== live) return [400, { error: "invalid_grant" }];
    used.add(presented);
    live = newToken();
    const accessToken = `access-${grants}`;
    return [200, { access_token: accessToken, refresh_token: live, token_type: "Bearer", expires_in: 3600 }];
  };
  const server: Server = createServer(async (call, answer) => {
    let body = "";
    for await (const piece of call) body += piece;
    const path = call.url ?? "/";
    const [status, said] =
      path === "/token"
        ? grant(new URLSearchParams(body).get("refresh_token") ?? "")
        : [path.startsWith("/.well-known/") ? 200 : 404, metadata(path, origin)];
    const send = () =>
      answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
    if (path === "/token") setTimeout(send, ANSWER_AFTER_MS);
    else send();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    serverUrl: `${origin}/mcp`,
    login() {
      grants = 0;
      live = newToken();
      return live;
    },
    grants: () => grants,
    isLive: (refreshToken) => live !== "" && refreshToken === live,
    close: () => server.close(),
  };
}

/** RFC 9728 and RFC 8414. */
function metadata(path: string, origin: string): unknown {
  if (path.startsWith("/.well-known/oauth-protected-resource")) {
    return { resource: `${origin}/mcp`, authorization_servers: [origin] };
  }
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"],
  };
}
