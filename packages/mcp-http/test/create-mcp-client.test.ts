import { AsyncLocalStorage } from "node:async_hooks";
import { expectNoSecret, proves } from "@hawser/test-kit";
import { createUndiciTransport, type HttpTransport, Operation, type OperationKey } from "@hawser/transport";
import { afterEach, describe, expect, it } from "vitest";
import { createMcpClient, isMcpHttpError, type McpClientOptions } from "../src/index.ts";
import { fakeSession, storeError } from "./fake-session.ts";
import { startTinyMcpServer, type TinyMcpServer } from "./tiny-mcp-server.ts";

const clientInfo = { name: "test", version: "1.0.0" };
const cleanups: (() => PromiseLike<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp(options: Partial<McpClientOptions> = {}) {
  const server = await startTinyMcpServer();
  const wire = createUndiciTransport();
  const session = fakeSession();
  const client = createMcpClient({
    serverName: "tiny",
    url: server.url,
    transport: wire,
    session,
    clientInfo,
    ...options,
  });
  cleanups.push(
    () => server[Symbol.asyncDispose](),
    () => wire[Symbol.asyncDispose](),
    () => client.close(),
  );
  return { server, session, client };
}

/** The standalone stream is opened behind the caller's back; once it has been asked for, nothing else is under way. */
async function connected(options: Partial<McpClientOptions> = {}) {
  const all = await setUp(options);
  await all.client.connect();
  await all.server.waitFor(1, "GET");
  return all;
}

const lines = (server: TinyMcpServer, start: string) => server.log.filter((line) => line.startsWith(start));
const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error("it should have failed")),
    (error: Error) => error,
  );

describe(createMcpClient, () => {
  it("initializes with the first call and calls a tool with the token", async () => {
    const { server, client } = await setUp();
    server.accepted = new Set(["A"]);
    const result = await client.callTool({ name: "echo", arguments: { x: 1 } });
    expect(result.content).toEqual([{ type: "text", text: '{"x":1}' }]);
    expect(server.log.filter((line) => !line.startsWith("GET"))).toEqual([
      "POST initialize A",
      "POST notifications/initialized A",
      "POST tools/call A",
    ]);
    expect(client.serverInfo()).toMatchObject({ name: "tiny", protocolVersion: "2025-06-18" });
    expect((await client.listTools()).map(({ name }) => name)).toEqual(["echo"]);
  });

  it("works without a login at a server that wants none", async () => {
    const { server, session, client } = await setUp();
    session.logout();
    await client.callTool({ name: "echo" });
    expect(lines(server, "POST tools/call")).toEqual(["POST tools/call"]);
  });

  it("asks for a login, with the challenge, where one is wanted and nobody is logged in", async () => {
    const { server, session, client } = await setUp();
    session.logout();
    server.accepted = new Set(["A"]);
    expect(await failure(client.connect())).toMatchObject({
      code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
      challenge: 'Bearer error="invalid_token"',
      status: 401,
    });
    expect(server.log).toEqual(["POST initialize"]);
  });

  it("does not charge the wait for a due refresh to the handshake", async () => {
    const { server, session, client } = await setUp({ connectTimeoutMs: 150 });
    let waits = 1;
    session.onEnsureFresh = () =>
      waits-- > 0 ? new Promise((resolve) => setTimeout(resolve, 200)) : undefined;
    await client.connect();
    expect(lines(server, "POST initialize")).toHaveLength(1);
  });

  it("sends nothing when the login has ended before", async () => {
    const { server, session, client } = await setUp();
    session.onEnsureFresh = () => {
      throw storeError("ERR_OAUTH_STORE_REFUSED");
    };
    expect(await failure(client.connect())).toMatchObject({
      code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
      reason: "ERR_OAUTH_STORE_REFUSED",
    });
    expect(server.log).toEqual([]);
  });

  describe("a rejected token", () => {
    it("is replaced once and the call repeated once", proves("mcp-http/recover-once"), async () => {
      const { server, session, client } = await connected();
      server.accepted = new Set(["B"]);
      await client.callTool({ name: "echo" });
      expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A", "POST tools/call B"]);
      expect(session.refreshes).toBe(1);
    });

    it("is replaced although the server sent no challenge", proves("mcp-http/recover-once"), async () => {
      const { server, session, client } = await connected();
      server.before = ({ bearer }) => (bearer === "A" ? { status: 401 } : undefined);
      await client.callTool({ name: "echo" });
      expect(session.refreshes).toBe(1);
    });

    it("asks for a login when its replacement is rejected too", proves("mcp-http/recover-once"), async () => {
      const { server, session, client } = await connected();
      server.accepted = new Set();
      const error = await failure(client.callTool({ name: "echo" }));
      expect(error).toMatchObject({
        code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
        challenge: 'Bearer error="invalid_token"',
      });
      expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A", "POST tools/call B"]);
      expect(session.refreshes).toBe(1);
    });

    it("is replaced during initialize as well", proves("mcp-http/recover-once"), async () => {
      const { server, session, client } = await setUp();
      server.accepted = new Set(["B"]);
      await client.connect();
      expect(lines(server, "POST initialize")).toEqual(["POST initialize A", "POST initialize B"]);
      expect(session.refreshes).toBe(1);
    });

    it(
      "adopts the newer token when a late 401 names the old one",
      proves("mcp-http/late-401-adopts"),
      async () => {
        const { server, session, client } = await connected();
        const slow = Promise.withResolvers<void>();
        server.accepted = new Set(["B"]);
        server.before = async ({ message, bearer }) => {
          if (message?.params?.name === "slow" && bearer === "A") await slow.promise;
          return undefined;
        };
        const late = client.callTool({ name: "slow" });
        await server.waitFor(1, "POST tools/call");
        await client.callTool({ name: "fast" });
        slow.resolve();
        await late;
        expect(session.refreshes).toBe(1);
        expect(lines(server, "POST tools/call").sort()).toEqual([
          "POST tools/call A",
          "POST tools/call A",
          "POST tools/call B",
          "POST tools/call B",
        ]);
      },
    );

    it("is replaced once for fifty calls", proves("mcp-http/storm"), async () => {
      const { server, session, client } = await connected();
      server.accepted = new Set(["B"]);
      const gate = Promise.withResolvers<void>();
      server.before = async ({ what, bearer }) => {
        if (what === "POST tools/call" && bearer === "A") await gate.promise;
        return undefined;
      };
      const calls = Array.from({ length: 50 }, () => client.callTool({ name: "echo" }));
      await server.waitFor(50, "POST tools/call");
      gate.resolve();
      await Promise.all(calls);
      expect(session.refreshes).toBe(1);
      expect(lines(server, "POST tools/call B")).toHaveLength(50);
      expect(lines(server, "POST tools/call")).toHaveLength(100);
    });

    it(
      "keeps the login when the refresh fails for a while",
      proves("mcp-http/transient-keeps-login"),
      async () => {
        const { server, session, client } = await connected();
        server.accepted = new Set(["B"]);
        const retryAtMs = Date.now() + 5_000;
        session.onRefresh = () => {
          throw storeError("ERR_OAUTH_STORE_TRANSIENT", { retry: "after", retryAtMs });
        };
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({
          code: "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE",
          reason: "ERR_OAUTH_STORE_TRANSIENT",
          retry: "after",
          retryAtMs,
        });
        expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A"]);
        session.onRefresh = () => {};
        await client.callTool({ name: "echo" });
      },
    );

    it(
      "asks for a login when the authorization server ended it",
      proves("mcp-http/recover-once"),
      async () => {
        const { server, session, client } = await connected();
        server.accepted = new Set(["B"]);
        session.onRefresh = () => {
          throw storeError("ERR_OAUTH_STORE_REFUSED");
        };
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({
          code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
          reason: "ERR_OAUTH_STORE_REFUSED",
          challenge: 'Bearer error="invalid_token"',
        });
      },
    );

    it("is an error at once when it was configured", proves("mcp-http/static-bearer"), async () => {
      const { server, session, client } = await connected({ headers: [["Authorization", "Bearer fixed"]] });
      server.accepted = new Set();
      for (let count = 1; count <= 2; count += 1) {
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({ code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", status: 401 });
      }
      expect(lines(server, "POST tools/call")).toEqual(["POST tools/call fixed", "POST tools/call fixed"]);
      expect(session.refreshes).toBe(0);
    });
  });

  describe("a lost session", () => {
    it(
      "is renewed once for all calls, and each is repeated once",
      proves("mcp-http/session-once"),
      async () => {
        const { server, client } = await connected();
        server.sessions.clear();
        await Promise.all(Array.from({ length: 10 }, () => client.callTool({ name: "echo" })));
        expect(lines(server, "POST initialize")).toHaveLength(2);
        const second = server.seen.filter(({ body }) => body.includes('"initialize"'))[1];
        expect(second?.headers["mcp-session-id"]).toBeUndefined();
        // The old session is ended as well, once nobody uses it.
        await server.waitFor(1, "DELETE");
        expect(server.seen.find(({ method }) => method === "DELETE")?.headers["mcp-session-id"]).toBe(
          "session-1",
        );
      },
    );

    it(
      "is an error when it is lost twice, and the next call works",
      proves("mcp-http/session-once"),
      async () => {
        const { server, client } = await connected();
        let toLose = 2;
        server.before = ({ what }) =>
          what === "POST tools/call" && toLose-- > 0 ? { status: 404 } : undefined;
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({ code: "ERR_MCP_HTTP_SESSION_EXPIRED", retry: "now" });
        expect(lines(server, "POST tools/call")).toHaveLength(2);
        await client.callTool({ name: "echo" });
      },
    );

    it("is renewed when the token is rejected before", proves("mcp-http/recoveries-compose"), async () => {
      const { server, session, client } = await connected();
      server.accepted = new Set(["B"]);
      server.sessions.clear();
      await client.callTool({ name: "echo" });
      expect(lines(server, "POST tools/call")).toEqual([
        "POST tools/call A",
        "POST tools/call B",
        "POST tools/call B",
      ]);
      expect(lines(server, "POST initialize")).toHaveLength(2);
      expect(session.refreshes).toBe(1);
    });

    it("is renewed when the token is rejected after", proves("mcp-http/recoveries-compose"), async () => {
      const { server, session, client } = await connected();
      server.sessions.clear();
      server.before = ({ what, seen }) => {
        const isOld = seen.headers["mcp-session-id"] === "session-1";
        if (what === "POST tools/call" && !isOld) server.accepted = new Set(["B"]);
        return undefined;
      };
      await client.callTool({ name: "echo" });
      expect(lines(server, "POST tools/call")).toEqual([
        "POST tools/call A",
        "POST tools/call A",
        "POST tools/call B",
      ]);
      expect(lines(server, "POST initialize")).toHaveLength(2);
      expect(session.refreshes).toBe(1);
    });

    it(
      "never leads to a second recovery of the same kind",
      proves("mcp-http/recoveries-compose"),
      async () => {
        const { server, session, client } = await connected();
        server.sessions.clear();
        server.accepted = new Set(["B"]);
        server.before = ({ what, seen }) => {
          const isOld = seen.headers["mcp-session-id"] === "session-1";
          if (what === "POST tools/call" && !isOld) server.accepted = new Set(["C"]);
          return undefined;
        };
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({ code: "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED" });
        expect(lines(server, "POST tools/call")).toHaveLength(3);
        expect(session.refreshes).toBe(1);
      },
    );
  });

  describe("a deadline", () => {
    it(
      "that passes during a refresh ends the call; nothing is repeated",
      proves("mcp-http/nothing-after-deadline"),
      async () => {
        const { server, session, client } = await connected();
        server.accepted = new Set(["B"]);
        const answer = Promise.withResolvers<void>();
        session.onRefresh = () => answer.promise;
        const error = await failure(client.callTool({ name: "echo" }, { timeoutMs: 50 }));
        expect(error).toMatchObject({
          code: "ERR_MCP_HTTP_TIMEOUT",
          message: "timed out awaiting tools/call after 50 ms",
        });
        answer.resolve();
        // The next call is behind anything that could still be sent for the first one.
        await client.callTool({ name: "echo" });
        expect(session.refreshes).toBe(1);
        expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A", "POST tools/call B"]);
        expect(lines(server, "POST notifications/cancelled")).toEqual([]);
      },
    );

    it(
      "that passes at the server is told to it, and a rejected notice refreshes nothing",
      proves("mcp-http/nothing-after-deadline"),
      async () => {
        const { server, session, client } = await connected();
        const never = Promise.withResolvers<undefined>();
        server.before = ({ what }) => {
          if (what === "POST tools/call") return never.promise;
          if (what === "POST notifications/cancelled") return { status: 401 };
          return undefined;
        };
        const controller = new AbortController();
        const call = failure(client.callTool({ name: "echo" }, { signal: controller.signal }));
        await server.waitFor(1, "POST tools/call");
        controller.abort();
        expect(await call).toMatchObject({ code: "ERR_MCP_HTTP_ABORTED" });
        await server.waitFor(1, "POST notifications/cancelled");
        server.before = undefined;
        await client.callTool({ name: "echo" });
        expect(session.refreshes).toBe(0);
        expect(lines(server, "POST notifications/cancelled")).toHaveLength(1);
      },
    );

    it(
      "that is over before the call begins sends nothing",
      proves("mcp-http/nothing-after-deadline"),
      async () => {
        const { server, client } = await setUp();
        const error = await failure(client.callTool({ name: "echo" }, { signal: AbortSignal.abort() }));
        expect(error).toMatchObject({ code: "ERR_MCP_HTTP_ABORTED" });
        expect(server.log).toEqual([]);
      },
    );

    it("of one caller does not end the session that another waits for", async () => {
      const { server, client } = await setUp();
      const gate = Promise.withResolvers<undefined>();
      server.before = ({ what }) => (what === "POST initialize" ? gate.promise : undefined);
      const short = failure(client.callTool({ name: "echo" }, { timeoutMs: 30 }));
      const long = client.callTool({ name: "echo" });
      expect(await short).toMatchObject({ code: "ERR_MCP_HTTP_TIMEOUT" });
      gate.resolve(undefined);
      await long;
      expect(lines(server, "POST initialize")).toHaveLength(1);
      expect(lines(server, "POST tools/call")).toHaveLength(1);
    });
  });

  it(
    "opens the session for everybody and calls for the caller",
    proves("mcp-http/whose-request"),
    async () => {
      const caller = new AsyncLocalStorage<string>();
      const key: OperationKey<string> = { id: Symbol("caller") };
      const wire = createUndiciTransport();
      const seen: unknown[] = [];
      const watching: HttpTransport = {
        send: (request) => {
          const what = request.method === "POST" ? JSON.parse(request.body as string).method : request.method;
          seen.push([what, caller.getStore(), request.operation?.get(key), request.operation?.label]);
          return wire.send(request);
        },
      };
      const { server, client } = await setUp({ transport: watching });
      const operation = Operation.start({ label: "turn" }).with(key, "carol");
      await caller.run("carol", () => client.callTool({ name: "echo" }, { operation }));
      await server.waitFor(1, "GET");
      await wire[Symbol.asyncDispose]();
      expect(new Set(seen)).toEqual(
        new Set([
          ["initialize", undefined, undefined, "initialize"],
          ["notifications/initialized", undefined, undefined, undefined],
          ["GET", undefined, undefined, undefined],
          ["tools/call", "carol", "carol", "turn"],
        ]),
      );
    },
  );

  it(
    "heeds the deadline of the operation it is called in",
    proves("mcp-http/nothing-after-deadline"),
    async () => {
      const { server, client } = await connected();
      server.before = ({ what }) => (what === "POST tools/call" ? new Promise(() => {}) : undefined);
      const operation = Operation.start({ label: "turn", timeoutMs: 40 });
      const error = await failure(client.callTool({ name: "echo" }, { operation }));
      expect(error).toMatchObject({ code: "ERR_MCP_HTTP_TIMEOUT" });
    },
  );

  describe("other exchanges", () => {
    it("recover the event stream once", proves("mcp-http/every-exchange-recovers"), async () => {
      const { server, session, client } = await setUp();
      server.before = ({ what, bearer }) => (what === "GET" && bearer === "A" ? { status: 401 } : undefined);
      await client.connect();
      await server.waitFor(2, "GET");
      expect(lines(server, "GET")).toEqual(["GET A", "GET B"]);
      expect(session.refreshes).toBe(1);
    });

    it("recover the farewell once", proves("mcp-http/every-exchange-recovers"), async () => {
      const { server, session, client } = await connected();
      server.before = ({ what, bearer }) =>
        what === "DELETE" && bearer === "A" ? { status: 401 } : undefined;
      await client.close();
      expect(lines(server, "DELETE")).toEqual(["DELETE A", "DELETE B"]);
      expect(session.refreshes).toBe(1);
    });

    it("recover an answer to the server once", proves("mcp-http/every-exchange-recovers"), async () => {
      const { server, session, client } = await setUp();
      server.before = ({ what, bearer }) => {
        if (what === "GET") return { headers: { "content-type": "text/event-stream" }, body: ping() };
        return what === "POST response" && bearer === "A" ? { status: 401 } : undefined;
      };
      await client.connect();
      await server.waitFor(2, "POST response");
      expect(lines(server, "POST response")).toEqual(["POST response A", "POST response B"]);
      expect(session.refreshes).toBe(1);
    });
  });

  it(
    "names the scope that is missing and does not repeat the call",
    proves("mcp-http/insufficient-scope"),
    async () => {
      const { server, session, client } = await connected();
      const challenge = 'Bearer error="insufficient_scope", scope="tools:write"';
      server.before = ({ what }) =>
        what === "POST tools/call"
          ? { status: 403, headers: { "www-authenticate": ['Basic realm="proxy"', challenge] } }
          : undefined;
      const error = await failure(client.callTool({ name: "echo" }));
      expect(error).toMatchObject({
        code: "ERR_MCP_HTTP_INSUFFICIENT_SCOPE",
        scope: "tools:write",
        status: 403,
      });
      expect(lines(server, "POST tools/call")).toHaveLength(1);
      expect(session.refreshes).toBe(0);
    },
  );

  it(
    "tries the newer token before it believes a 403 for the old one",
    proves("mcp-http/insufficient-scope"),
    async () => {
      const { server, session, client } = await connected();
      server.before = async ({ what, bearer }) => {
        if (what !== "POST tools/call" || bearer !== "A") return undefined;
        // Somebody steps the login up while the call is under way.
        const handle = session.snapshot();
        if (handle !== undefined) await session.recover(handle);
        return { status: 403, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } };
      };
      await client.callTool({ name: "echo" });
      expect(lines(server, "POST tools/call")).toEqual(["POST tools/call A", "POST tools/call B"]);
      expect(session.refreshes).toBe(1);
    },
  );

  describe("transient faults", () => {
    it(
      "are answered with two more tries of initialize and of the list",
      proves("mcp-http/repeats-the-harmless"),
      async () => {
        const { server, client } = await setUp();
        let faults = 2;
        const startedMs = performance.now();
        server.before = ({ what }) => {
          if (what === "POST initialize" && faults > 0) return { status: [503, 502][--faults] ?? 503 };
          return undefined;
        };
        await client.connect();
        expect(lines(server, "POST initialize")).toHaveLength(3);
        expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_249);
        faults = 1;
        server.before = ({ what }) =>
          what === "POST tools/list" && faults-- > 0 ? { status: 429 } : undefined;
        expect(await client.listTools()).toHaveLength(1);
        expect(lines(server, "POST tools/list")).toHaveLength(2);
      },
    );

    it("of a tool call are errors, each sent once", proves("mcp-http/repeats-the-harmless"), async () => {
      const { server, client } = await connected();
      server.before = ({ what }) =>
        what === "POST tools/call" ? { status: 500, body: "boom \u001b[31m" } : undefined;
      for (let count = 1; count <= 2; count += 1) {
        const error = await failure(client.callTool({ name: "echo" }));
        expect(error).toMatchObject({ code: "ERR_MCP_HTTP_STATUS", status: 500, retry: "after" });
        expect(error.message).toBe('the server answered 500: "boom [31m"');
      }
      expect(lines(server, "POST tools/call")).toHaveLength(2);
    });

    it("are not seen in an answer about the login", proves("mcp-http/repeats-the-harmless"), async () => {
      const { server, client } = await setUp();
      server.before = () => ({ status: 403, body: "no" });
      expect(await failure(client.connect())).toMatchObject({ code: "ERR_MCP_HTTP_STATUS", status: 403 });
      expect(lines(server, "POST initialize")).toHaveLength(1);
    });
  });

  it(
    "ends a call whose stream ends without the answer",
    proves("mcp-http/stream-without-answer"),
    async () => {
      const { server, client } = await connected();
      server.before = ({ what }) =>
        what === "POST tools/call"
          ? { headers: { "content-type": "text/event-stream" }, body: ": nothing follows\n\n" }
          : undefined;
      const error = await failure(client.callTool({ name: "echo" }));
      expect(error).toMatchObject({ code: "ERR_MCP_HTTP_STREAM_ENDED" });
      expect(lines(server, "POST notifications/cancelled")).toEqual([]);
    },
  );

  it("ends a call whose events outgrow the limit", proves("mcp-http/bounded-answer"), async () => {
    const { server, client } = await connected({ maxResponseBytes: 1024 });
    server.before = ({ what }) =>
      what === "POST tools/call"
        ? { headers: { "content-type": "text/event-stream" }, body: `data: ${"x".repeat(2_000)}` }
        : undefined;
    const error = await failure(client.callTool({ name: "echo" }));
    expect(error).toMatchObject({ code: "ERR_MCP_HTTP_STREAM_ENDED" });
  });

  it("asks for the tools each time", async () => {
    const { server, client } = await connected();
    await client.listTools();
    await client.listTools();
    expect(lines(server, "POST tools/list")).toHaveLength(2);
  });

  it("reads an answer that comes as events", async () => {
    const { server, client } = await connected();
    server.before = ({ what, message }) => {
      if (what !== "POST tools/call") return undefined;
      const answer = { jsonrpc: "2.0", id: message?.id, result: { content: [{ type: "text", text: "hi" }] } };
      return {
        headers: { "content-type": "text/event-stream" },
        body: `event: message\ndata: ${JSON.stringify(answer)}\n\n`,
      };
    };
    const result = await client.callTool({ name: "echo" });
    expect(result.content).toEqual([{ type: "text", text: "hi" }]);
  });

  it.each([
    ["exactly the limit", 0, undefined],
    ["one byte more", 1, "ERR_TRANSPORT_BODY_TOO_LARGE"],
  ])("answers of %s", proves("mcp-http/bounded-answer"), async (_name, extra, code) => {
    const { server, client } = await connected({ maxResponseBytes: 1024 });
    server.before = ({ what, message }) => {
      if (what !== "POST tools/call") return undefined;
      const answer = (text: string) =>
        JSON.stringify({ jsonrpc: "2.0", id: message?.id, result: { content: [{ type: "text", text }] } });
      const text = "x".repeat(1024 + extra - answer("").length);
      return { headers: { "content-type": "application/json" }, body: answer(text) };
    };
    const outcome = await client.callTool({ name: "echo" }).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    expect(outcome).toBe(code);
  });

  describe("close", () => {
    it("ends calls under way and the session", proves("mcp-http/close-is-bounded"), async () => {
      const { server, client } = await connected();
      server.before = ({ what }) => (what === "POST tools/call" ? new Promise(() => {}) : undefined);
      const call = failure(client.callTool({ name: "echo" }));
      await server.waitFor(1, "POST tools/call");
      await client.close();
      expect(await call).toMatchObject({ code: "ERR_MCP_HTTP_CLOSED" });
      expect(lines(server, "DELETE")).toHaveLength(1);
      expect(await failure(client.callTool({ name: "echo" }))).toMatchObject({ code: "ERR_MCP_HTTP_CLOSED" });
    });

    it(
      "does not wait for a server that answers no farewell",
      proves("mcp-http/close-is-bounded"),
      async () => {
        const { server, client } = await connected({ closeTimeoutMs: 50 });
        server.before = ({ what }) => (what === "DELETE" ? new Promise(() => {}) : undefined);
        await client.close();
        expect(lines(server, "DELETE")).toHaveLength(1);
      },
    );

    it("ends an initialize under way", proves("mcp-http/close-is-bounded"), async () => {
      const { server, client } = await setUp();
      server.before = () => new Promise(() => {});
      const call = failure(client.callTool({ name: "echo" }));
      await server.waitFor(1, "POST initialize");
      await client.close();
      expect(isMcpHttpError(await call, "ERR_MCP_HTTP_CLOSED")).toBe(true);
    });
  });
});

describe("secrets", () => {
  const secrets = ["planted-bearer-A", "planted-bearer-B"];

  it("are in no error, whatever the server says of them", proves("mcp-http/no-secret"), async () => {
    const server = await startTinyMcpServer();
    const wire = createUndiciTransport();
    const session = fakeSession(secrets);
    const client = createMcpClient({
      serverName: "tiny",
      url: server.url,
      transport: wire,
      session,
      clientInfo,
    });
    cleanups.push(
      () => server[Symbol.asyncDispose](),
      () => wire[Symbol.asyncDispose](),
      () => client.close(),
    );
    await client.connect();
    const errors: Error[] = [];
    const answers = [
      { status: 500, body: "you sent planted-bearer-A" },
      { status: 403, body: "you sent planted-bearer-A" },
      { status: 404 },
      { status: 403, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } },
      { headers: { "content-type": "text/plain" }, body: "you sent planted-bearer-A" },
      { status: 401 },
    ];
    for (const answer of answers) {
      server.before = ({ what }) => (what === "POST tools/call" ? answer : undefined);
      errors.push(await failure(client.callTool({ name: "echo" })));
    }
    expectNoSecret(errors, secrets);
    expectNoSecret(client, secrets);
    expect(errors.map((error) => (error as { code?: string }).code)).toContain(
      "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
    );
  });
});

async function* ping() {
  yield `data: ${JSON.stringify({ jsonrpc: "2.0", id: "server-1", method: "ping" })}\n\n`;
  await new Promise(() => {});
}
