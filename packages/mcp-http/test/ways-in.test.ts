import { proves } from "@hawser/test-kit";
import { createUndiciTransport, toFetch } from "@hawser/transport";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, it } from "vitest";
import { asAuthProvider, asOAuthClientProvider, createMcpFetch } from "../src/index.ts";
import { fakeSession, storeError } from "./fake-session.ts";
import { startTinyMcpServer, type TinyMcpServer } from "./tiny-mcp-server.ts";

type TransportOptions = ConstructorParameters<typeof StreamableHTTPClientTransport>[1];

const cleanups: (() => PromiseLike<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp() {
  const server = await startTinyMcpServer();
  const wire = createUndiciTransport();
  const session = fakeSession();
  cleanups.push(
    () => server[Symbol.asyncDispose](),
    () => wire[Symbol.asyncDispose](),
  );
  return { server, wire, session };
}

/** The official client as anybody would write it. */
async function stockClient(server: TinyMcpServer, options: TransportOptions) {
  const client = new Client({ name: "stock", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(server.url, options);
  await client.connect(transport);
  cleanups.push(() => client.close());
  await server.waitFor(1, "GET");
  return { client, transport };
}

const lines = (server: TinyMcpServer, start: string) => server.log.filter((line) => line.startsWith(start));
const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error("it should have failed")),
    (error: Error) => error,
  );

async function storm(server: TinyMcpServer, client: Client) {
  server.accepted = new Set(["B"]);
  const gate = Promise.withResolvers<undefined>();
  server.before = ({ what, bearer }) =>
    what === "POST tools/call" && bearer === "A" ? gate.promise : undefined;
  const calls = Array.from({ length: 50 }, () => client.callTool({ name: "echo" }));
  await server.waitFor(50, "POST tools/call");
  gate.resolve(undefined);
  await Promise.all(calls);
}

describe(createMcpFetch, () => {
  it(
    "lets fifty rejected calls of the official client succeed with one refresh",
    proves("mcp-http/storm"),
    async () => {
      const { server, wire, session } = await setUp();
      const fetch = createMcpFetch(session, { url: server.url, transport: wire });
      const { client } = await stockClient(server, { fetch });
      await storm(server, client);
      expect(session.refreshes).toBe(1);
      expect(lines(server, "POST tools/call")).toHaveLength(100);
    },
  );

  it("recovers the official client's farewell", proves("mcp-http/every-exchange-recovers"), async () => {
    const { server, wire, session } = await setUp();
    const fetch = createMcpFetch(session, { url: server.url, transport: wire });
    const { transport } = await stockClient(server, { fetch });
    server.accepted = new Set(["B"]);
    await transport.terminateSession();
    expect(lines(server, "DELETE")).toEqual(["DELETE A", "DELETE B"]);
  });

  it(
    "repeats nothing that the client has cancelled meanwhile",
    proves("mcp-http/nothing-after-deadline"),
    async () => {
      const { server, wire, session } = await setUp();
      const fetch = createMcpFetch(session, { url: server.url, transport: wire });
      const { client } = await stockClient(server, { fetch });
      server.accepted = new Set(["B"]);
      const refreshing = Promise.withResolvers<void>();
      session.onRefresh = () => refreshing.promise;
      const error = await failure(client.callTool({ name: "echo" }, { timeout: 50 }));
      expect(error.message).toContain("timed out");
      await server.waitFor(1, "POST notifications/cancelled");
      refreshing.resolve();
      await client.callTool({ name: "echo" });
      expect(session.refreshes).toBe(1);
      expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A", "POST tools/call B"]);
    },
  );

  it("names a lost session and a missing login through the official client", async () => {
    const { server, wire, session } = await setUp();
    const fetch = createMcpFetch(session, { url: server.url, transport: wire });
    const { client } = await stockClient(server, { fetch });
    server.sessions.clear();
    expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({
      code: "ERR_MCP_HTTP_SESSION_EXPIRED",
    });
    server.accepted = new Set();
    expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({
      code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
    });
  });

  it("says nothing of the login outside the resource", proves("mcp-http/inside-the-resource"), async () => {
    const { server, wire, session } = await setUp();
    const headers = [["x-api-key", "key"]] as const;
    const fetch = createMcpFetch(session, { url: server.url, transport: wire, headers });
    server.before = ({ seen }) => {
      if (seen.path === "/mcp") return { status: 307, headers: { location: "/tenant-b/mcp" } };
      return { status: seen.path === "/tenant-b/mcp" ? 401 : 200 };
    };
    const init = {
      method: "POST",
      headers: { "mcp-session-id": "s" },
      body: '{"id":1,"method":"tools/call"}',
    };
    const response = await fetch(server.url, init);
    // The stranger's 401 is no word about our token.
    expect(response.status).toBe(401);
    await fetch(new URL("/mcp2", server.url), init);
    await fetch(new URL("/mcp/below", server.url), init);
    expect(session.refreshes).toBe(0);
    const shown = server.seen.map(({ path, headers: sent }) => [
      path,
      sent["authorization"],
      sent["mcp-session-id"],
      sent["x-api-key"],
    ]);
    expect(shown).toEqual([
      ["/mcp", "Bearer A", "s", "key"],
      ["/tenant-b/mcp", undefined, undefined, undefined],
      ["/mcp2", undefined, undefined, undefined],
      ["/mcp/below", "Bearer A", "s", "key"],
    ]);
  });

  it("replaces an authorization that the caller wrote by the session's", async () => {
    const { server, wire, session } = await setUp();
    const fetch = createMcpFetch(session, { url: server.url, transport: wire });
    await fetch(server.url, { headers: { authorization: "Bearer stale" } });
    expect(server.log).toEqual(["GET A"]);
  });

  it("replaces the token but repeats no body that can be read once", async () => {
    const { server, wire, session } = await setUp();
    server.accepted = new Set(["B"]);
    const fetch = createMcpFetch(session, { url: server.url, transport: wire });
    const body = new Blob(['{"id":1,"method":"tools/call"}']).stream();
    const init = { method: "POST", body, duplex: "half" };
    const error = await failure(fetch(server.url, init as RequestInit));
    expect(error).toMatchObject({ code: "ERR_MCP_HTTP_TOKEN_EXPIRED", retry: "now" });
    expect(session.snapshot()?.view.accessToken).toBe("B");
    expect(server.log).toHaveLength(1);
  });
});

describe(asAuthProvider, () => {
  it(
    "charges a 401 to the token that was sent",
    proves("mcp-http/storm", "mcp-http/late-401-adopts"),
    async () => {
      const { server, wire, session } = await setUp();
      const authProvider = asAuthProvider(session, { fetch: toFetch(wire) });
      const { client } = await stockClient(server, { authProvider, fetch: authProvider.fetch });
      await storm(server, client);
      expect(session.refreshes).toBe(1);
    },
  );

  it("refuses to guess whose 401 it is when its fetch is not used", async () => {
    const { server, wire, session } = await setUp();
    const authProvider = asAuthProvider(session);
    const { client } = await stockClient(server, { authProvider, fetch: toFetch(wire) });
    server.accepted = new Set(["B"]);
    expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({ code: "ERR_MCP_HTTP_OPTIONS" });
    expect(session.refreshes).toBe(0);
  });
});

describe(asOAuthClientProvider, () => {
  const metadata = (server: TinyMcpServer) => ({ issuer: server.url.origin, ...endpoints(server) });
  const endpoints = ({ url }: TinyMcpServer) => ({
    authorization_endpoint: new URL("/authorize", url).href,
    token_endpoint: new URL("/token", url).href,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
  });

  async function protectedSetUp() {
    const all = await setUp();
    all.server.before = ({ seen }) => {
      if (seen.path === "/mcp") return undefined;
      return seen.path === "/.well-known/oauth-authorization-server"
        ? { json: metadata(all.server) }
        : { status: 404 };
    };
    return all;
  }

  it("ends the client's own refresh in the session", proves("mcp-http/late-401-adopts"), async () => {
    const { server, wire, session } = await protectedSetUp();
    const { provider, fetch } = asOAuthClientProvider(session, { fetch: toFetch(wire) });
    const { client } = await stockClient(server, { authProvider: provider, fetch });
    server.accepted = new Set(["B"]);
    await Promise.all(Array.from({ length: 10 }, () => client.callTool({ name: "echo" })));
    expect(session.refreshes).toBe(1);
    expect(server.seen.filter(({ path }) => path === "/token")).toEqual([]);
    expect(JSON.stringify(await provider.tokens())).not.toContain("refresh-secret");
  });

  it(
    "passes a transient failure on and opens no browser",
    proves("mcp-http/transient-keeps-login"),
    async () => {
      const { server, wire, session } = await protectedSetUp();
      const { provider, fetch } = asOAuthClientProvider(session, { fetch: toFetch(wire) });
      const { client } = await stockClient(server, { authProvider: provider, fetch });
      server.accepted = new Set(["B"]);
      session.onRefresh = () => {
        throw storeError("ERR_OAUTH_STORE_TRANSIENT", { retry: "after" });
      };
      expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({
        code: "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE",
        retry: "after",
      });
      session.onRefresh = () => {};
      await client.callTool({ name: "echo" });
    },
  );

  it("asks to call again where its fetch is not used", async () => {
    const { server, wire, session } = await protectedSetUp();
    const { provider } = asOAuthClientProvider(session);
    const { client } = await stockClient(server, { authProvider: provider, fetch: toFetch(wire) });
    server.accepted = new Set(["B"]);
    expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({
      code: "ERR_MCP_HTTP_TOKEN_EXPIRED",
      retry: "now",
    });
    await client.callTool({ name: "echo" });
    expect(session.refreshes).toBe(1);
  });
});
