import { once } from "node:events";
import {
  expectNoSecret,
  proves,
  type ScriptedServer,
  startScriptedServer,
  temporaryHome,
} from "@hawser/test-kit";
import { isTransportError, Operation } from "@hawser/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { connectExecServer, createRemoteTransport, type ExecServerConnection } from "../src/client.ts";
import { startServer, type TestServer } from "./support/start-server.ts";

const BEARER = "remote-bearer-0123456789";

let server: TestServer;
let upstream: ScriptedServer;
let connection: ExecServerConnection;
let close: () => Promise<void>;
const cut = new Map<string, PromiseWithResolvers<void>>();
const sent = new Map<string, number>();
let count = 0;
const unique = (): string => `unique-${++count}`;

beforeAll(async () => {
  upstream = await startScriptedServer({
    handler: async (seen, { response, gone }) => {
      const name = seen.headers["x-name"] ?? "";
      gone.addEventListener("abort", () => cut.get(name)?.resolve());
      if (seen.path === "/never") return undefined;
      if (seen.path === "/redirect") return { status: 302, headers: { location: "/elsewhere" } };
      if (seen.path === "/stream") {
        response.writeHead(200);
        response.write("first");
        return undefined;
      }
      if (seen.path === "/endless") {
        response.writeHead(200);
        const piece = Buffer.alloc(64 * 1024);
        const more = (): void => {
          while (!gone.aborted) {
            sent.set(name, (sent.get(name) ?? 0) + piece.length);
            if (!response.write(piece)) return void response.once("drain", more);
          }
        };
        more();
        return undefined;
      }
      if (seen.path === "/big") return { body: Buffer.alloc(10_000_000, "y") };
      return { headers: { "x-twice": ["a", "b"] }, json: { method: seen.method, body: seen.body, name } };
    },
  });
  const home = await temporaryHome();
  const file = await home.write("bearer", BEARER);
  server = await startServer(["--ws-auth", "capability-token", "--ws-token-file", file]);
  connection = await connectExecServer({ url: server.url, bearer: BEARER, clientName: "test" });
  close = async () => {
    await connection.close();
    await server[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await home.remove();
  };
});
afterAll(() => close());

const at = (path: string): URL => new URL(path, upstream.url);
const named = (name: string) => [["x-name", name] as const];

function watchCut(name: string): Promise<void> {
  const gate = Promise.withResolvers<void>();
  cut.set(name, gate);
  return gate.promise;
}

describe(connectExecServer, () => {
  it("learns what the server can do and calls its methods", async () => {
    expect([...connection.capabilities]).toEqual([
      "httpHeaderEnvVars",
      "httpRequestCancel",
      "httpResponseWindow",
    ]);
    expect(connection.cwd).toMatch(/^file:\/\//);
    expect(await connection.request("environment/status", {})).toEqual({ status: "ready" });
    await expect(connection.request("fs/nope", {})).rejects.toMatchObject({
      code: "ERR_EXEC_SERVER_REFUSED",
      rpcCode: -32601,
    });
  });

  it("says that it was not let in, without the bearer", proves("exec-server/no-secrets"), async () => {
    const error = await connectExecServer({ url: server.url, bearer: `${BEARER}x`, clientName: "t" }).catch(
      (one) => one,
    );
    expect(error).toMatchObject({ code: "ERR_EXEC_SERVER_CONNECT", retry: "after" });
    expectNoSecret([error, connection], [BEARER]);
    const nobody = connectExecServer({ url: "ws://127.0.0.1:9", clientName: "t" });
    await expect(nobody).rejects.toMatchObject({ code: "ERR_EXEC_SERVER_CONNECT" });
    await expect(connectExecServer({ url: "http://x/", clientName: "t" })).rejects.toMatchObject({
      code: "ERR_EXEC_SERVER_CONNECT",
    });
  });

  it("gives up on a server that does not shake hands", async () => {
    const silent = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(silent, "listening");
    const url = `ws://127.0.0.1:${(silent.address() as { port: number }).port}`;
    await expect(connectExecServer({ url, clientName: "t", connectTimeoutMs: 100 })).rejects.toMatchObject({
      code: "ERR_EXEC_SERVER_HANDSHAKE",
    });
    await expect(
      connectExecServer({ url, clientName: "t", signal: AbortSignal.timeout(100) }),
    ).rejects.toMatchObject({ name: "TimeoutError" });
    for (const socket of silent.clients) socket.terminate();
    silent.close();
  });
});

describe(createRemoteTransport, () => {
  it("sends any body once and hands redirects back", proves("exec-server/remote-transport"), async () => {
    const transport = createRemoteTransport(connection);
    const response = await transport.send({
      method: "POST",
      url: at("/echo"),
      headers: named("n"),
      body: { json: { a: 1 } },
    });
    expect(response.status).toBe(200);
    expect(response.headers.filter(([name]) => name === "x-twice")).toEqual([
      ["x-twice", "a"],
      ["x-twice", "b"],
    ]);
    expect(await response.json()).toEqual({ method: "POST", body: '{"a":1}', name: "n" });
    const redirect = await transport.send({ method: "GET", url: at("/redirect"), headers: [] });
    expect(redirect.status).toBe(302);
    await redirect.cancel();
    expect(upstream.seen.filter(({ path }) => path === "/elsewhere")).toEqual([]);
  });

  it(
    "sends 200 requests side by side over one connection",
    proves("exec-server/remote-transport"),
    async () => {
      const transport = createRemoteTransport(connection);
      const names = Array.from({ length: 200 }, (_, index) => `many-${index}`);
      const answers = await Promise.all(
        names.map(async (name) => {
          const response = await transport.send({ method: "GET", url: at("/echo"), headers: named(name) });
          return ((await response.json()) as { name: string }).name;
        }),
      );
      expect(answers).toEqual(names);
    },
  );

  it("streams a body as it comes, and whole", proves("exec-server/remote-transport"), async () => {
    const transport = createRemoteTransport(connection);
    const big = await transport.send({ method: "GET", url: at("/big"), headers: [] });
    expect((await big.bytes()).byteLength).toBe(10_000_000);
    const name = unique();
    const gone = watchCut(name);
    const stream = await transport.send({ method: "GET", url: at("/stream"), headers: named(name) });
    for await (const piece of stream.body) {
      expect(Buffer.from(piece).toString()).toBe("first");
      break;
    }
    await gone;
  });

  it(
    "slows the source of a body that is read slowly, and nothing else",
    proves("exec-server/remote-transport"),
    async () => {
      const transport = createRemoteTransport(connection);
      const name = unique();
      const gone = watchCut(name);
      const endless = await transport.send({ method: "GET", url: at("/endless"), headers: named(name) });
      for (let index = 0; index < 50; index++) {
        const response = await transport.send({ method: "GET", url: at("/echo"), headers: [] });
        await response.bytes();
      }
      // What the kernel buffers on the way is the rest: two sockets of a few megabytes at most.
      expect(sent.get(name)).toBeLessThan(32_000_000);
      await endless.cancel();
      await gone;
    },
  );

  it(
    "cancels what its caller gives up, before the head and behind it",
    proves("exec-server/remote-transport", "exec-server/http-cancel"),
    async () => {
      const transport = createRemoteTransport(connection);
      for (const path of ["/never", "/stream"]) {
        const name = unique();
        const gone = watchCut(name);
        const caller = new AbortController();
        const response = transport.send({
          method: "GET",
          url: at(path),
          headers: named(name),
          signal: caller.signal,
        });
        const read = response.then((one) => one.bytes());
        await upstream.waitFor(1, (seen) => seen.headers["x-name"] === name);
        caller.abort();
        await expect(read).rejects.toMatchObject({ code: "ERR_TRANSPORT_ABORTED" });
        await gone;
      }
      const before = upstream.seen.length;
      const late = transport.send({
        method: "GET",
        url: at("/echo"),
        headers: [],
        signal: AbortSignal.abort(),
      });
      await expect(late).rejects.toMatchObject({ code: "ERR_TRANSPORT_ABORTED", sent: "no" });
      expect(upstream.seen.length).toBe(before);
    },
  );

  it("keeps every bound of a request", proves("exec-server/remote-transport"), async () => {
    const transport = createRemoteTransport(connection);
    const send = async (path: string, more: object): Promise<unknown> => {
      const response = await transport.send({ method: "GET", url: at(path), headers: [], ...more });
      return response.bytes();
    };
    await expect(send("/never", { limits: { totalTimeoutMs: 50 } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_TIMEOUT",
    });
    await expect(send("/stream", { limits: { totalTimeoutMs: 100 } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_TIMEOUT",
    });
    await expect(send("/never", { limits: { headersTimeoutMs: 50 } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_HEADERS_TIMEOUT",
    });
    await expect(send("/stream", { limits: { bodyIdleTimeoutMs: 50 } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_BODY_TIMEOUT",
    });
    await expect(send("/big", { limits: { maxResponseBytes: 1_000 } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_BODY_TOO_LARGE",
    });
    const operation = Operation.start({ label: "test", timeoutMs: 50 });
    await expect(send("/never", { operation })).rejects.toMatchObject({ code: "ERR_TRANSPORT_TIMEOUT" });
    while (operation.remainingMs() > 0) await new Promise(setImmediate);
    const before = upstream.seen.length;
    await expect(send("/echo", { operation })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_TIMEOUT",
      sent: "no",
    });
    expect(upstream.seen.length).toBe(before);
  });

  it(
    "fails as a local transport would, without a value",
    proves("exec-server/remote-transport", "exec-server/no-secrets"),
    async () => {
      const transport = createRemoteTransport(connection);
      const secret = "query-value-5678";
      const errors = await Promise.all(
        [`http://127.0.0.1:9/?key=${secret}`, `http://nowhere.invalid/?key=${secret}`].map((url) =>
          transport
            .send({ method: "GET", url: new URL(url), headers: [["x", secret]] })
            .catch((error) => error),
        ),
      );
      expect(errors).toMatchObject([
        { code: "ERR_TRANSPORT_REFUSED", sent: "no" },
        { code: "ERR_TRANSPORT_DNS", sent: "no" },
      ]);
      expect(errors.every(isTransportError)).toBe(true);
      expectNoSecret(errors, [secret]);
    },
  );

  it(
    "fails everything under way when the connection goes",
    proves("exec-server/remote-transport"),
    async () => {
      await using doomed = await startServer();
      const name = unique();
      const lost = await connectExecServer({ url: doomed.url, clientName: "test" });
      const transport = createRemoteTransport(lost);
      const head = transport.send({ method: "GET", url: at("/never"), headers: named(name) });
      const stream = await transport.send({ method: "GET", url: at("/stream"), headers: [] });
      const body = stream.bytes();
      await upstream.waitFor(1, (seen) => seen.headers["x-name"] === name);
      const failures = Promise.allSettled([head, body]);
      await doomed.child.kill("SIGKILL");
      expect(await failures).toMatchObject([
        { reason: { code: "ERR_TRANSPORT_RESET", sent: "unknown" } },
        { reason: { code: "ERR_TRANSPORT_RESET", sent: "yes" } },
      ]);
      await lost.closed;
      const after = transport.send({ method: "GET", url: at("/echo"), headers: [] });
      await expect(after).rejects.toMatchObject({ code: "ERR_TRANSPORT_CLOSED", sent: "no" });
      await expect(lost.request("environment/status", {})).rejects.toMatchObject({
        code: "ERR_EXEC_SERVER_CLOSED",
      });
    },
  );
});
