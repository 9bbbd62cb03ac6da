import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import {
  type CredentialSession,
  createCredentialSession,
  createMemoryStore,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  storeKey,
} from "@hawser/oauth-store";
import { expectNoSecret, proves } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, type TransportWrapper } from "@hawser/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createMcpClient,
  createMcpRefreshGrant,
  loginMcpServer,
  type McpClient,
  probeAuthStatus,
} from "../src/index.ts";

const serverName = "local";
const clientInfo = { name: "test", version: "1.0.0" };

let upstream: LocalUpstream;
let session: CredentialSession<OAuthCredential, OAuthView>;
let client: McpClient;
let cleanups: (() => PromiseLike<unknown>)[];
/** Moves the session's clocks ahead. */
let aheadMs: number;

beforeEach(async () => {
  cleanups = [];
  aheadMs = 0;
  upstream = await startLocalUpstream();
  cleanups.push(() => upstream.close());
  const ca = upstream.ca.pem;
  const dispatcher = createDispatcher({ ca });
  const fresh = createDispatcher({ ca, connections: "fresh" });
  cleanups.push(
    () => dispatcher.close(),
    () => fresh.close(),
  );
  const wire = createUndiciTransport({ dispatcher });
  const serverUrl = upstream.mcp.url.href;
  session = createCredentialSession({
    kind: oauthCredential,
    store: createMemoryStore(),
    key: storeKey(serverName, serverUrl),
    refreshGrant: createMcpRefreshGrant({ transport: createUndiciTransport({ dispatcher: fresh }) }),
    clock: { wallMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() + aheadMs },
  });
  cleanups.push(() => session.settle());
  const login = await loginMcpServer({
    serverName,
    serverUrl,
    transport: wire,
    session,
    clientName: "Hawser test",
  });
  await upstream.mcp.approve(login.authorizationUrl.href);
  await login.completed;
  client = createMcpClient({
    serverName,
    url: serverUrl,
    transport: withAffinity(wire),
    session,
    clientInfo,
  });
  cleanups.push(() => client.close());
  await client.connect();
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Brings back whatever the edge set: each session lives on one replica. */
const withAffinity: TransportWrapper = (next) => {
  let affinity: string | undefined;
  return {
    async send(request) {
      const headers =
        affinity === undefined ? request.headers : [...request.headers, ["cookie", affinity] as const];
      const response = await next.send({ ...request, headers });
      const set = response.headers.find(([name]) => name === "set-cookie")?.[1];
      if (set !== undefined) affinity = set.split(";")[0];
      return response;
    },
  };
};

const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error("it should have failed")),
    (error: Error) => error,
  );

const initializes = () => upstream.seen.filter(({ rpcMethod }) => rpcMethod === "initialize").length;
const toolCalls = () => upstream.seen.filter(({ rpcMethod }) => rpcMethod === "tools/call");

async function callAnyTool(limits: { timeoutMs?: number } = {}) {
  const [tool] = await client.listTools();
  return client.callTool({ name: tool?.name ?? "", arguments: { text: "hi" } }, limits);
}

describe("against a real authorization server", () => {
  it("lets fifty calls succeed with one refresh", proves("mcp-http/storm"), async () => {
    const hold = upstream.mcp.holdToolCalls(50);
    const [tool] = await client.listTools();
    const calls = Array.from({ length: 50 }, (_, index) =>
      client.callTool({ name: tool?.name ?? "", arguments: { text: `call ${index}` } }),
    );
    await hold.held;
    expect(await upstream.mcp.destroyAccessTokens()).toBeGreaterThan(0);
    hold.release();
    const results = await Promise.all(calls);
    expect(results.filter(({ isError }) => isError !== true)).toHaveLength(50);
    expect(upstream.mcp.refreshGrants).toBe(1);
    expect(toolCalls()).toHaveLength(100);
  });

  it("renews a dropped session once", proves("mcp-http/session-once"), async () => {
    await callAnyTool();
    upstream.mcp.dropSessions();
    await Promise.all([callAnyTool(), callAnyTool(), callAnyTool()]);
    expect(initializes()).toBe(2);
    expect(upstream.mcp.refreshGrants).toBe(0);
  });

  it("renews session and token in one call", proves("mcp-http/recoveries-compose"), async () => {
    const [tool] = await client.listTools();
    upstream.mcp.dropSessions();
    await upstream.mcp.destroyAccessTokens();
    await client.callTool({ name: tool?.name ?? "", arguments: { text: "hi" } });
    expect(initializes()).toBeGreaterThanOrEqual(2);
    expect(upstream.mcp.refreshGrants).toBe(1);
  });

  it(
    "keeps the token that a call did not live to see",
    proves("mcp-http/nothing-after-deadline"),
    async () => {
      const [tool] = await client.listTools();
      const call = { name: tool?.name ?? "", arguments: { text: "hi" } };
      const hold = upstream.mcp.holdRefreshes(1);
      await upstream.mcp.destroyAccessTokens();
      expect(await failure(client.callTool(call, { timeoutMs: 100 }))).toMatchObject({
        code: "ERR_MCP_HTTP_TIMEOUT",
      });
      await hold.held;
      hold.release();
      await session.settle();
      const before = toolCalls().length;
      await client.callTool(call);
      expect(upstream.mcp.refreshGrants).toBe(1);
      expect(toolCalls()).toHaveLength(before + 1);
    },
  );

  it(
    "keeps the login through a broken token endpoint",
    proves("mcp-http/transient-keeps-login"),
    async () => {
      await upstream.mcp.destroyAccessTokens();
      upstream.mcp.failRefresh(500);
      const error = await failure(callAnyTool());
      expect(error).toMatchObject({ code: "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE", retry: "after" });
      expect(upstream.mcp.refreshGrants).toBe(1);
      upstream.mcp.failRefresh(undefined);
      aheadMs += 60_000;
      await callAnyTool();
      expect(upstream.mcp.refreshGrants).toBe(2);
    },
  );

  it(
    "asks for a login when it has ended, and asks the server once",
    proves("mcp-http/recover-once", "mcp-http/no-secret"),
    async () => {
      const { accessToken } = (await session.ensureFresh()).view;
      await upstream.mcp.destroyAccessTokens();
      upstream.mcp.refuseRefresh("invalid_grant");
      const errors = [await failure(callAnyTool()), await failure(callAnyTool())];
      for (const error of errors) {
        expect(error).toMatchObject({
          code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
          reason: "ERR_OAUTH_STORE_REFUSED",
        });
      }
      expectNoSecret(errors, [accessToken]);
      expect(upstream.mcp.refreshGrants).toBe(1);
      const wire = createUndiciTransport({ dispatcher: createDispatcher({ ca: upstream.ca.pem }) });
      expect(await probeAuthStatus({ serverUrl: upstream.mcp.url, transport: wire, session })).toBe(
        "notLoggedIn",
      );
    },
  );
});
