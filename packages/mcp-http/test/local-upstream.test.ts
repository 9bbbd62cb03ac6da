import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import {
  type CredentialSession,
  createAggregateFileStore,
  createCredentialSession,
  createMemoryStore,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  storeKey,
} from "@hawser/oauth-store";
import { expectNoSecret, proves, temporaryHome } from "@hawser/test-kit";
import {
  createDispatcher,
  createUndiciTransport,
  type HttpTransport,
  type TransportWrapper,
} from "@hawser/transport";
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
let wire: HttpTransport;
let freshWire: HttpTransport;
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
  wire = createUndiciTransport({ dispatcher });
  freshWire = createUndiciTransport({ dispatcher: fresh });
  session = createCredentialSession({ ...sessionOptions(), store: createMemoryStore() });
  cleanups.push(() => session.settle());
  await logIn(session);
  client = clientOf(session);
  cleanups.push(() => client.close());
  await client.connect();
});

function sessionOptions() {
  return {
    kind: oauthCredential,
    key: storeKey(serverName, upstream.mcp.url.href),
    refreshGrant: createMcpRefreshGrant({ transport: freshWire }),
    clock: { wallMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() + aheadMs },
  };
}

async function logIn(target: typeof session) {
  const serverUrl = upstream.mcp.url;
  const options = { serverName, serverUrl, transport: wire, session: target, clientName: "Hawser test" };
  const login = await loginMcpServer(options);
  await upstream.mcp.approve(login.authorizationUrl.href);
  await login.completed;
}

function clientOf(source: typeof session) {
  const { url } = upstream.mcp;
  return createMcpClient({ serverName, url, transport: withAffinity(wire), session: source, clientInfo });
}

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

async function echo(limits: { timeoutMs?: number } = {}) {
  return client.callTool({ name: "echo", arguments: { text: "hi" } }, limits);
}

describe("against a real authorization server", () => {
  it("lets fifty calls succeed with one refresh", proves("mcp-http/storm"), async () => {
    const hold = upstream.mcp.holdToolCalls(50);
    const calls = Array.from({ length: 50 }, (_, index) =>
      client.callTool({ name: "echo", arguments: { text: `call ${index}` } }),
    );
    await hold.held;
    expect(await upstream.mcp.destroyAccessTokens()).toBeGreaterThan(0);
    hold.release();
    const results = await Promise.all(calls);
    expect(results.filter(({ isError }) => isError !== true)).toHaveLength(50);
    expect(upstream.mcp.refreshGrants).toBe(1);
    expect(toolCalls()).toHaveLength(100);
  });

  it("sends one refresh for two sessions on one file", proves("mcp-http/storm"), async () => {
    await using home = await temporaryHome();
    const open = () =>
      createCredentialSession({
        ...sessionOptions(),
        home: home.path,
        store: createAggregateFileStore({
          path: home.file("credentials.json"),
          lockPath: home.file("store.lock"),
        }),
      });
    const sessions = [open(), open()] as const;
    await logIn(sessions[0]);
    const clients = sessions.map((one) => clientOf(one));
    for (const one of clients) await one.connect();
    const hold = upstream.mcp.holdToolCalls(20);
    const calls = clients.flatMap((one) =>
      Array.from({ length: 10 }, () => one.callTool({ name: "echo", arguments: { text: "hi" } })),
    );
    await hold.held;
    await upstream.mcp.destroyAccessTokens();
    hold.release();
    expect(await Promise.all(calls)).toHaveLength(20);
    expect(upstream.mcp.refreshGrants).toBe(1);
    for (const one of clients) await one.close();
    for (const one of sessions) await one.settle();
  });

  it("renews a dropped session once", proves("mcp-http/session-once"), async () => {
    await echo();
    upstream.mcp.dropSessions();
    await Promise.all([echo(), echo(), echo()]);
    expect(initializes()).toBe(2);
    expect(upstream.mcp.refreshGrants).toBe(0);
  });

  it("renews session and token in one call", proves("mcp-http/recoveries-compose"), async () => {
    upstream.mcp.dropSessions();
    await upstream.mcp.destroyAccessTokens();
    await echo();
    expect(initializes()).toBeGreaterThanOrEqual(2);
    expect(upstream.mcp.refreshGrants).toBe(1);
  });

  it(
    "keeps the token that a call did not live to see",
    proves("mcp-http/nothing-after-deadline"),
    async () => {
      const hold = upstream.mcp.holdRefreshes(1);
      await upstream.mcp.destroyAccessTokens();
      expect(await failure(echo({ timeoutMs: 100 }))).toMatchObject({
        code: "ERR_MCP_HTTP_TIMEOUT",
      });
      await hold.held;
      hold.release();
      await session.settle();
      const before = toolCalls().length;
      await echo();
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
      const error = await failure(echo());
      expect(error).toMatchObject({ code: "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE", retry: "after" });
      expect(upstream.mcp.refreshGrants).toBe(1);
      upstream.mcp.failRefresh(undefined);
      aheadMs += 60_000;
      await echo();
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
      const errors = [await failure(echo()), await failure(echo())];
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
