import { setImmediate } from "node:timers/promises";
import { proves, type ScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createUndiciTransport,
  type HttpBody,
  type HttpRequest,
  type HttpTransport,
  headerValue,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startWire, WIRES, type Wire } from "./support/wires.ts";

const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");
const bytes = (text: string) => new TextEncoder().encode(text);

async function* pieces(...texts: string[]) {
  for (const text of texts) yield bytes(text);
}

describe.concurrent.each(WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  let server: ScriptedServer;

  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
    server = await wire.server({
      handler: (seen) => {
        if (seen.path === "/moved") return { status: 302, headers: { location: "/elsewhere" } };
        if (seen.path === "/broken") return { status: 500, body: "no" };
        if (seen.path === "/headers") {
          return {
            headers: { "X-One": ["1", "2"], "Set-Cookie": ["a=1", "b=2"], "x-utf8": latin1("naïve ☃") },
          };
        }
        return { body: seen.body };
      },
    });
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await server.close();
    await wire[Symbol.asyncDispose]();
  });

  const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "POST",
    url: new URL(path, server.url),
    headers: [],
    ...more,
  });
  describe(createUndiciTransport, { concurrent: false }, () => {
    it("does not follow a redirect", proves("transport/sends-once"), async () => {
      const before = server.seen.length;

      const response = await transport.send(request("/moved"));

      expect(response.status).toBe(302);
      expect(headerValue(response.headers, "Location")).toBe("/elsewhere");
      await response.cancel();
      expect(server.seen.length - before).toBe(1);
    });

    it("does not send again after a failure status", proves("transport/sends-once"), async () => {
      const before = server.seen.length;

      const response = await transport.send(request("/broken", { method: "GET", idempotent: true }));

      expect([response.status, await response.text()]).toEqual([500, "no"]);
      expect(server.seen.length - before).toBe(1);
    });

    it("does not send again when a kept connection breaks", proves("transport/sends-once"), async () => {
      let heads = 0;
      await using raw = await wire.raw((socket) => {
        socket.on("data", () => {
          heads += 1;
          if (heads === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
          else socket.destroy();
        });
      });
      const get: HttpRequest = { method: "GET", url: raw.url, headers: [], idempotent: true };
      await (await transport.send(get)).bytes();
      // undici hands a connection on one turn of the event loop after its response ended.
      await setImmediate();

      const error = await failure(transport.send(get));

      expect([error.code, error.sent, heads, raw.sockets.length]).toEqual([
        "ERR_TRANSPORT_RESET",
        "unknown",
        2,
        1,
      ]);
    });

    it.each<[string, () => HttpBody]>([
      ["bytes", () => bytes("häuser")],
      ["a view into a larger buffer", () => bytes("xxhäuserxx").subarray(2, 9)],
      ["a string", () => "häuser"],
      ["an async iterable", () => pieces("hä", "", "us", "er")],
      ["a web stream", () => ReadableStream.from(pieces("häus", "er"))],
    ])("sends %s as they are", proves("transport/request-bodies"), async (_name, body) => {
      const response = await transport.send(request("/echo", { body: body() }));

      expect(await response.text()).toBe("häuser");
      expect(server.seen.at(-1)?.headers["content-type"]).toBeUndefined();
    });

    it("sends JSON and says so", proves("transport/request-bodies"), async () => {
      const response = await transport.send(request("/echo", { body: { json: { a: [1, null] } } }));

      expect(await response.json()).toEqual({ a: [1, null] });
      expect(server.seen.at(-1)?.headers["content-type"]).toBe("application/json");
    });

    it("leaves the caller's content type alone", proves("transport/request-bodies"), async () => {
      const headers = [["Content-Type", "application/vnd.x+json"]] as const;

      await (await transport.send(request("/echo", { headers, body: { json: 1 } }))).bytes();

      expect(server.seen.at(-1)?.rawHeaders.filter(([name]) => /content-type/i.test(name))).toEqual([
        ["Content-Type", "application/vnd.x+json"],
      ]);
    });

    it("refuses to send a streamed body twice", proves("transport/request-bodies"), async () => {
      const body = pieces("once");
      await (await transport.send(request("/echo", { body }))).bytes();
      const before = server.seen.length;

      const error = await failure(transport.send(request("/echo", { body })));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_BODY_USED", "no"]);
      expect(server.seen.length).toBe(before);
    });

    it(
      "says so when the source of the body fails",
      proves("transport/request-bodies", "transport/faults"),
      async () => {
        const fault = new Error("disk");
        async function* failing() {
          yield bytes("first");
          throw fault;
        }

        const error = await failure(transport.send(request("/echo", { body: failing() })));

        expect([error.code, error.sent, error.cause, error.retry]).toEqual([
          "ERR_TRANSPORT_REQUEST_BODY",
          "unknown",
          fault,
          "never",
        ]);
      },
    );

    it("keeps order and repeats of header fields", proves("transport/headers"), async () => {
      const headers = [
        ["X-B", "1"],
        ["x-a", "2"],
        ["X-B", "3"],
      ] as const;

      const response = await transport.send(request("/headers", { headers }));
      await response.bytes();

      expect(server.seen.at(-1)?.rawHeaders.filter(([name]) => /^x-/i.test(name))).toEqual([
        ["X-B", "1"],
        ["X-B", "3"],
        ["x-a", "2"],
      ]);
      expect(response.headers.slice(0, 5)).toEqual([
        ["x-one", "1"],
        ["x-one", "2"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["x-utf8", "naïve ☃"],
      ]);
    });

    it("writes header values beyond ASCII as UTF-8", proves("transport/headers"), async () => {
      await (await transport.send(request("/echo", { headers: [["x-name", "naïve ☃"]] }))).bytes();

      expect(server.seen.at(-1)?.headers["x-name"]).toBe(latin1("naïve ☃"));
    });

    it.each<[string, Partial<HttpRequest>]>([
      ["userinfo in the URL", { url: new URL("http://user:pass@127.0.0.1:1/") }],
      ["another scheme", { url: new URL("ftp://127.0.0.1/") }],
      ["CONNECT", { method: "CONNECT" }],
      ["a method that is none", { method: "GE T" }],
      ["a line break in a header", { headers: [["x-a", "1\r\nx-b: 2"]] }],
      ["a header name that is none", { headers: [["x a", "1"]] }],
      ["a wrong content length", { headers: [["content-length", "3"]], body: "four" }],
      ["a body that JSON cannot say", { body: { json: 1n } }],
      ["a body that JSON leaves out", { body: { json: undefined } }],
    ])("refuses %s before anything is sent", proves("transport/faults"), async (_name, more) => {
      const before = server.seen.length;

      const error = await failure(transport.send(request("/echo", more)));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_INVALID_REQUEST", "no", "never"]);
      expect(server.seen.length).toBe(before);
    });

    it("closes its own dispatcher on disposal", proves("transport/faults"), async () => {
      const own = wire.transport();
      await own[Symbol.asyncDispose]();

      const error = await failure(own.send(request("/echo")));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_CLOSED", "no"]);
    });

    it("leaves a given dispatcher open on disposal", async () => {
      const dispatcher = wire.dispatcher();
      try {
        await createUndiciTransport({ dispatcher })[Symbol.asyncDispose]();

        const response = await createUndiciTransport({ dispatcher }).send(
          request("/echo", { body: "still" }),
        );

        expect(await response.text()).toBe("still");
      } finally {
        await dispatcher.destroy();
      }
    });
  });
});
