import { expectNoSecret, proves, type ScriptedServer, startScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Message, RawClient } from "./support/raw-client.ts";
import { startServer, type TestServer } from "./support/start-server.ts";

let server: TestServer;
let client: RawClient;
let upstream: ScriptedServer;
const held = new Map<string, PromiseWithResolvers<void>>();
const cut = new Map<string, PromiseWithResolvers<void>>();

beforeAll(async () => {
  upstream = await startScriptedServer({
    handler: async (seen, { response, gone }) => {
      const path = seen.path.split("?")[0] ?? "";
      const name = seen.headers["x-name"] ?? "";
      gone.addEventListener("abort", () => cut.get(name)?.resolve());
      switch (path) {
        case "/redirect":
          return { status: 307, headers: { location: "/echo" } };
        case "/away":
          return { status: 307, headers: { location: `http://localhost:${upstream.port}/echo` } };
        case "/loop":
          return { status: 302, headers: { location: "/loop" } };
        case "/never":
          return undefined;
        case "/held":
          await held.get(name)?.promise;
          return { body: "released" };
        case "/cut":
          response.writeHead(200, { "content-length": "100" });
          response.write("half");
          setImmediate(() => response.destroy());
          return undefined;
        case "/stream":
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write("data: 1\n\n");
          return undefined;
        case "/big":
          return { body: Buffer.alloc(20_000_000, "x") };
        default:
          return {
            status: 418,
            headers: { "x-twice": ["a", "b"], "x-latin": "caf\u00e9" },
            json: { method: seen.method, headers: seen.headers, body: seen.body },
          };
      }
    },
  });
  server = await startServer(["--insecure-no-auth"], { HAWSER_TEST_BEARER: "from-the-executor" });
  client = await RawClient.ready(server.url);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

let count = 0;
const unique = (): string => `unique-${++count}`;
const call = (path: string, more: object = {}, from = client): Promise<Message> =>
  from.call("http/request", {
    method: "GET",
    url: path.startsWith("/") ? new URL(path, upstream.url).href : path,
    requestId: `r${++count}`,
    ...more,
  });

const decoded = (reply: Message): string =>
  Buffer.from(String(reply.result?.["bodyBase64"]), "base64").toString();

const deltasOf = (requestId: string, from = client): Message["params"][] =>
  from.heard
    .filter((one) => one.method === "http/request/bodyDelta" && one.params.requestId === requestId)
    .map((one) => one.params);

const finished = (requestId: string, from = client): Promise<Message> =>
  from.waitFor(
    (one) => one.method === "http/request/bodyDelta" && one.params.requestId === requestId && one.params.done,
  );

describe("http/request", () => {
  it("sends what it was asked and nothing more", proves("exec-server/http"), async () => {
    const reply = await call("/echo", {
      method: "POST",
      bodyBase64: Buffer.from("{}").toString("base64"),
      headers: [
        { name: "Content-Type", value: "application/json" },
        { name: "content-length", value: "99" },
        { name: "x-own", value: "1" },
        { name: "authorization", value: "Bearer ", valueEnvVar: "HAWSER_TEST_BEARER" },
      ],
    });
    expect(reply.result?.["status"]).toBe(418);
    const { headers, ...rest } = JSON.parse(decoded(reply));
    expect(rest).toEqual({ method: "POST", body: "{}" });
    delete headers.host;
    delete headers.connection;
    expect(headers).toEqual({
      "content-type": "application/json",
      "content-length": "2",
      "x-own": "1",
      authorization: "Bearer from-the-executor",
      accept: "*/*",
    });
    const answered = reply.result?.["headers"] as { name: string; value: string }[];
    expect(answered.filter(({ name }) => name.startsWith("x-"))).toEqual([
      { name: "x-twice", value: "a" },
      { name: "x-twice", value: "b" },
    ]);
  });

  it("follows redirects or stops at them", proves("exec-server/http"), async () => {
    expect((await call("/redirect", { redirectPolicy: "stop" })).result?.["status"]).toBe(307);
    expect((await call("/redirect", { redirectPolicy: "follow" })).result?.["status"]).toBe(418);
    expect((await call("/redirect")).result?.["status"]).toBe(418);
    expect((await call("/loop")).error).toMatchObject({
      code: -32603,
      data: { code: "ERR_TRANSPORT_REDIRECT_LIMIT" },
    });
  });

  it(
    "streams a body in order behind its reply, with one terminal frame",
    proves("exec-server/http"),
    async () => {
      const reply = await call("/big", { requestId: "big", streamResponse: true });
      expect(reply.result).toMatchObject({ status: 200, bodyBase64: "" });
      await finished("big");
      const deltas = deltasOf("big");
      expect(deltas.map(({ seq }) => seq)).toEqual(deltas.map((_, index) => index + 1));
      expect(deltas.map(({ done }) => done)).toEqual(deltas.map((_, index) => index === deltas.length - 1));
      expect(deltas.at(-1)).toMatchObject({ deltaBase64: "", error: null });
      const sizes = deltas.map(({ deltaBase64 }) => Buffer.from(deltaBase64, "base64").length);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(20_000_000);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024);
      const first = client.heard.find((one) => one.params?.requestId === "big");
      expect(client.heard.indexOf(reply)).toBeLessThan(client.heard.indexOf(first as Message));
    },
  );

  it("runs no further ahead of the reader than its window", proves("exec-server/http"), async () => {
    await call("/big", { requestId: "window", streamResponse: true, responseWindowBytes: 1_000 });
    const received = (): number =>
      deltasOf("window").reduce((sum, { deltaBase64 }) => sum + Buffer.from(deltaBase64, "base64").length, 0);
    await client.waitFor(() => received() >= 1_000);
    // Anything more would have come before this answer.
    await client.call("environment/status", {});
    expect(received()).toBe(1_000);
    client.say({ method: "http/request/window", params: { requestId: "window", bytes: 30_000_000 } });
    await finished("window");
    expect(received()).toBe(20_000_000);
  });

  it.each([
    [{ url: "nope" }, "invalid http/request url"],
    [{ url: "ftp://x/" }, "http and https"],
    [{ url: "http://a:b@127.0.0.1/" }, "userinfo"],
    [{ method: "BAD METHOD" }, "method"],
    [{ headers: [{ name: "bad name", value: "" }] }, "header name"],
    [{ headers: [{ name: "x", value: "a\r\nb: c" }] }, "header value"],
    [
      { headers: [{ name: "x", value: "", valueEnvVar: "HAWSER_NOT_SET" }] },
      "requires executor environment variable HAWSER_NOT_SET",
    ],
    [
      { headers: [{ name: "x", value: "", valueEnvVar: "__proto__" }] },
      "requires executor environment variable",
    ],
    [{ redirectPolicy: "maybe" }, "redirectPolicy"],
    [{ bodyBase64: "!" }, "base64"],
  ])("refuses %j", proves("exec-server/http"), async (more, text) => {
    const { error } = await call("/echo", more);
    expect(error?.code).toBe(-32602);
    expect(error?.message).toContain(text);
  });

  it("lets a slow request delay no other", proves("exec-server/concurrent"), async () => {
    const names = Array.from({ length: 100 }, (_, index) => `slow-${index}`);
    for (const name of names) held.set(name, Promise.withResolvers());
    const slow = names.map((name) => call("/held", { headers: [{ name: "x-name", value: name }] }));
    await upstream.waitFor(100, (seen) => seen.path === "/held");
    expect((await call("/echo")).result?.["status"]).toBe(418);
    expect((await client.call("environment/status", {})).result).toEqual({ status: "ready" });
    for (const gate of held.values()) gate.resolve();
    expect((await Promise.all(slow)).map(decoded)).toEqual(names.map(() => "released"));
  });

  it("refuses a second stream under an active id, not a buffered request", async () => {
    await call("/stream", { requestId: "same", streamResponse: true });
    expect((await call("/stream", { requestId: "same", streamResponse: true })).error).toEqual({
      code: -32602,
      message: "http/request streamResponse requestId `same` is already active",
    });
    expect((await call("/echo", { requestId: "same" })).result?.["status"]).toBe(418);
    client.say({ method: "http/request/cancel", params: { requestId: "same" } });
    await finished("same");
    expect((await call("/big", { requestId: "same", streamResponse: true })).error).toBeUndefined();
  });
});

describe("http/request/cancel", () => {
  it(
    "closes the upstream of a streamed body and ends it with a frame",
    proves("exec-server/http-cancel"),
    async () => {
      const name = unique();
      const gone = Promise.withResolvers<void>();
      cut.set(name, gone);
      const headers = [{ name: "x-name", value: name }];
      await call("/stream", { requestId: name, streamResponse: true, headers });
      client.say({ method: "http/request/cancel", params: { requestId: name } });
      expect((await finished(name)).params).toMatchObject({
        deltaBase64: "",
        done: true,
        error: "cancelled",
      });
      await gone.promise;
    },
  );

  it("answers a request that has no response yet", proves("exec-server/http-cancel"), async () => {
    const name = unique();
    const gone = Promise.withResolvers<void>();
    cut.set(name, gone);
    const reply = call("/never", { requestId: name, headers: [{ name: "x-name", value: name }] });
    await upstream.waitFor(1, (seen) => seen.headers["x-name"] === name);
    client.say({ method: "http/request/cancel", params: { requestId: name } });
    expect((await reply).error).toMatchObject({ code: -32603, data: { code: "ERR_TRANSPORT_ABORTED" } });
    await gone.promise;
  });

  it("means nothing for a request that is not there", async () => {
    client.say({ method: "http/request/cancel", params: { requestId: "nobody" } });
    expect((await client.call("environment/status", {})).error).toBeUndefined();
  });

  it("happens by itself when the connection goes", proves("exec-server/http-cancel"), async () => {
    const other = await RawClient.ready(server.url);
    const [head, stream] = [unique(), unique()];
    const gates = [head, stream].map((name) => {
      const gone = Promise.withResolvers<void>();
      cut.set(name, gone);
      return gone.promise;
    });
    void call("/never", { headers: [{ name: "x-name", value: head }] }, other).catch(() => {});
    await call("/stream", { streamResponse: true, headers: [{ name: "x-name", value: stream }] }, other);
    await upstream.waitFor(1, (seen) => seen.headers["x-name"] === head);
    await other[Symbol.asyncDispose]();
    await Promise.all(gates);
  });
});

describe("a failed http/request", () => {
  it(
    "says which failure and no value",
    proves("exec-server/http-errors", "exec-server/no-secrets"),
    async () => {
      const secrets = ["query-value-1234", "header-value-1234", "body-value-1234"];
      const more = {
        method: "POST",
        headers: [{ name: "authorization", value: `Bearer ${secrets[1]}` }],
        bodyBase64: Buffer.from(String(secrets[2])).toString("base64"),
      };
      const query = `?key=${secrets[0]}`;
      const replies = await Promise.all([
        call(`http://127.0.0.1:9/${query}`, more),
        call(`http://nowhere.invalid/${query}`, more),
        call(`/never${query}`, { ...more, timeoutMs: 50 }),
        call(`/never${query}`, { ...more, timeoutMs: 0 }),
        call(`/cut${query}`, more),
        call(`/loop${query}`, { ...more, method: "GET" }),
        call(`ftp://x/${query}`, more),
      ]);
      expect(replies.map(({ error }) => (error?.data as { code?: string } | undefined)?.code)).toEqual([
        "ERR_TRANSPORT_REFUSED",
        "ERR_TRANSPORT_DNS",
        "ERR_TRANSPORT_TIMEOUT",
        "ERR_TRANSPORT_TIMEOUT",
        expect.stringMatching(/^ERR_TRANSPORT_(RESET|PROTOCOL)$/),
        "ERR_TRANSPORT_REDIRECT_LIMIT",
        undefined,
      ]);
      expectNoSecret(replies, secrets);
      expectNoSecret(server.child.stderr, secrets);
    },
  );

  it(
    "ends a streamed body with its reason, cut or out of time",
    proves("exec-server/http-errors"),
    async () => {
      await call("/cut", { requestId: "cut", streamResponse: true });
      expect((await finished("cut")).params).toMatchObject({
        error: expect.any(String),
        data: { code: expect.stringMatching(/RESET|PROTOCOL/) },
      });
      await call("/stream", { requestId: "late", streamResponse: true, timeoutMs: 100 });
      expect((await finished("late")).params).toMatchObject({ data: { code: "ERR_TRANSPORT_TIMEOUT" } });
    },
  );
});
