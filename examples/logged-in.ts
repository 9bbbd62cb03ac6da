import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { createMcpRefreshGrant, loginMcpServer } from "@hawser/mcp-http";
import {
  type CredentialSession,
  createAggregateFileStore,
  createCredentialSession,
  flockProvider,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  storeKey,
} from "@hawser/oauth-store";
import { createDispatcher, createUndiciTransport, type HttpTransport } from "@hawser/transport";

export interface LoggedIn {
  readonly upstream: LocalUpstream;
  readonly transport: HttpTransport;
  readonly session: CredentialSession<OAuthCredential, OAuthView>;
  close(): Promise<void>;
}

/** What every MCP example begins with: a protected server, a stored credential, a person who has logged in. */
export async function loggedIn(serverName: string): Promise<LoggedIn> {
  const upstream = await startLocalUpstream({ quiet: true });
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "hawser-example-"));
  const trust = { env: { SSL_CERT_FILE: upstream.ca.file }, caVariables: ["SSL_CERT_FILE"] };
  const dispatcher = createDispatcher(trust);
  const fresh = createDispatcher({ ...trust, connections: "fresh" }); // a refresh token is spent on a connection of its own
  const transport = createUndiciTransport({ dispatcher });
  const tokenEndpoint = createUndiciTransport({ dispatcher: fresh });
  const locks = flockProvider();

  const session = createCredentialSession({
    kind: oauthCredential,
    store: createAggregateFileStore({
      path: path.join(home, ".credentials.json"),
      locks,
      lockPath: path.join(home, "locks", "file-store.lock"),
    }),
    key: storeKey(serverName, upstream.mcp.url.href),
    home,
    locks,
    refreshGrant: createMcpRefreshGrant({ transport: tokenEndpoint }),
  });

  const login = await loginMcpServer({
    serverName,
    serverUrl: upstream.mcp.url,
    transport: tokenEndpoint,
    session,
    clientName: "Example",
  });
  await upstream.mcp.approve(login.authorizationUrl.href); // the person and the browser
  await login.completed;

  return {
    upstream,
    transport,
    session,
    async close() {
      await session[Symbol.asyncDispose]();
      await Promise.all([dispatcher.destroy(), fresh.destroy()]);
      await upstream[Symbol.asyncDispose]();
      fs.rmSync(home, { recursive: true });
    },
  };
}
