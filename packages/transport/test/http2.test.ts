import { once } from "node:events";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { type CertificateAuthority, proves, selfSignedCa, startScriptedServer } from "@hawser/test-kit";
import type { Dispatcher } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createDispatcher,
  createUndiciTransport,
  type HttpRequest,
  type HttpTransport,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";

let ca: CertificateAuthority;
let server: Http2SecureServer;
let base: URL;
let dispatcher: Dispatcher;
let transport: HttpTransport;
let sessions = 0;
const closed: PromiseWithResolvers<number>[] = [];

beforeAll(async () => {
  ca = await selfSignedCa();
  server = createSecureServer({ ...(await ca.issue(["localhost"])), allowHTTP1: true });
  server.on("session", () => {
    sessions += 1;
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    const end = Promise.withResolvers<number>();
    closed.push(end);
    stream.on("close", () => end.resolve(stream.rstCode));
    const path = headers[":path"];
    if (path === "/silent") return;
    stream.respond({ ":status": path === "/teapot" ? 418 : 200, "x-a": "1", "set-cookie": ["a=1", "b=2"] });
    if (path === "/stalls") stream.write("begun");
    else if (path === "/protocol") stream.end("h2");
    else stream.pipe(stream);
  });
  server.on("request", (request, response) => {
    if (request.httpVersionMajor === 1) response.end("h1");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = new URL(`https://localhost:${(server.address() as AddressInfo).port}/`);
  dispatcher = createDispatcher({ ca: ca.pem, http2: true });
  transport = createUndiciTransport({ dispatcher });
});
afterAll(async () => {
  await dispatcher.destroy();
  server.close();
});

const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url: new URL(path, base),
  headers: [],
  ...more,
});

describe("HTTP/2", () => {
  it("carries many requests over one connection", proves("transport/http2"), async () => {
    const bodies = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        (await transport.send(request("/echo", { body: { json: { index } } }))).json(),
      ),
    );

    expect(bodies).toEqual(Array.from({ length: 20 }, (_, index) => ({ index })));
    expect(sessions).toBe(1);
  });

  it("hands on status and headers, repeats kept", proves("transport/http2"), async () => {
    const response = await transport.send(request("/teapot", { body: "tea" }));

    expect([response.status, await response.text()]).toEqual([418, "tea"]);
    expect(response.headers.filter(([name]) => name !== "date")).toEqual([
      ["x-a", "1"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
  });

  it("sends what is streamed", proves("transport/http2"), async () => {
    async function* pieces() {
      yield Buffer.from("str");
      yield Buffer.from("eam");
    }

    expect(await (await transport.send(request("/echo", { body: pieces() }))).text()).toBe("stream");
  });

  it("keeps the limits", proves("transport/http2", "transport/limits"), async () => {
    const head = await failure(transport.send(request("/silent", { limits: { headersTimeoutMs: 50 } })));
    expect([head.code, head.sent]).toEqual(["ERR_TRANSPORT_HEADERS_TIMEOUT", "unknown"]);

    const stalled = await transport.send(request("/stalls", { limits: { bodyIdleTimeoutMs: 50 } }));
    expect((await failure(stalled.text())).code).toBe("ERR_TRANSPORT_BODY_TIMEOUT");

    const large = await transport.send(
      request("/echo", { body: "12345678", limits: { maxResponseBytes: 7 } }),
    );
    expect((await failure(large.text())).code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");

    const late = await failure(transport.send(request("/silent", { limits: { totalTimeoutMs: 50 } })));
    expect(late.code).toBe("ERR_TRANSPORT_TIMEOUT");
  });

  it(
    "closes the stream alone when the caller leaves",
    proves("transport/http2", "transport/abort"),
    async () => {
      const before = sessions;
      const caller = new AbortController();
      const response = await transport.send(request("/stalls", { signal: caller.signal }));
      const end = closed.at(-1);
      const reading = failure(response.text());
      caller.abort();

      expect(await reading).toMatchObject({ code: "ERR_TRANSPORT_ABORTED", sent: "yes" });
      await end?.promise;
      expect(await (await transport.send(request("/echo", { body: "still" }))).text()).toBe("still");
      expect(sessions).toBe(before);
    },
  );

  it("is offered through a tunnel, and only where it was asked for", proves("transport/http2"), async () => {
    await using proxy = await startForwardProxy();
    const env = { HTTPS_PROXY: proxy.url.href };
    const answers: string[] = [];
    const egress = { reach: "public", except: ["localhost"] } as const;
    for (const options of [{}, { http2: true }, { env }, { env, http2: true }, { http2: true, egress }]) {
      const made = createDispatcher({ ca: ca.pem, proxyLoopback: true, ...options });
      const response = await createUndiciTransport({ dispatcher: made }).send(request("/protocol"));
      answers.push(await response.text());
      await made.destroy();
    }

    expect(answers).toEqual(["h1", "h2", "h1", "h2", "h2"]);
    expect(proxy.seen.length).toBe(2);
  });

  it("falls back where the server knows no other than 1.1", proves("transport/http2"), async () => {
    await using old = await startScriptedServer({
      tls: await ca.issue(["localhost"]),
      handler: () => ({ body: "old" }),
    });

    expect(await (await transport.send(request("", { url: old.url }))).text()).toBe("old");
  });

  it("refuses to be fresh", proves("transport/http2"), () => {
    expect(() => createDispatcher({ http2: true, connections: "fresh" })).toThrowError(
      expect.objectContaining({ code: "ERR_TRANSPORT_NOT_SUPPORTED" }),
    );
  });
});
