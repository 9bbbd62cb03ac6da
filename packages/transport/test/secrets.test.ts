import { expectNoSecret, proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  expectOk,
  fromFetch,
  type HttpRequest,
  type HttpTransport,
  type TransportError,
  toFetch,
  withRedirects,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { SAMPLED_WIRES, startWire, type Wire } from "./support/wires.ts";

const secrets = ["planted-header", "planted-body", "planted-query", "planted-answer", "planted-password"];
const loaded = (url: URL): HttpRequest => ({
  method: "POST",
  url: new URL("/path?code=planted-query&planted-query", url),
  headers: [["authorization", "Bearer planted-header"]],
  body: { json: { refresh: "planted-body" } },
  limits: { headersTimeoutMs: 50, bodyIdleTimeoutMs: 50 },
});

describe.concurrent.each(SAMPLED_WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await wire[Symbol.asyncDispose]();
  });

  /** The whole way to the end of the body. */
  const whole = async (request: HttpRequest) =>
    expectOk(await transport.send(request)).then((ok) => ok.json());

  describe("planted secrets", { concurrent: false }, () => {
    it.each<[TransportError["code"], string | undefined]>([
      ["ERR_TRANSPORT_RESET", ""],
      ["ERR_TRANSPORT_PROTOCOL", "planted-answer HTTP/1.1 planted-answer\r\nplanted-answer\r\n\r\n"],
      ["ERR_TRANSPORT_PROTOCOL", "HTTP/1.1 200 OK\r\nset-cookie planted-answer\r\n\r\n"],
      ["ERR_TRANSPORT_STATUS", "HTTP/1.1 400 planted-answer\r\ncontent-length: 14\r\n\r\nplanted-answer"],
      ["ERR_TRANSPORT_BAD_JSON", "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\nplanted-answer"],
      ["ERR_TRANSPORT_RESET", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nplanted-answer"],
      ["ERR_TRANSPORT_HEADERS_TIMEOUT", undefined],
    ])("are in no part of %s", proves("transport/no-secrets"), async (code, answer) => {
      await using raw = await wire.raw((socket) => {
        socket.once("data", () => {
          if (answer !== undefined) socket.end(answer);
        });
      });

      const error = await failure(whole(loaded(raw.url)));

      expect(error.code).toBe(code);
      expect(error.url).toBe(`${raw.url.origin}/path?code=…&…`);
      expectNoSecret(error, secrets);
    });

    it.each<[string, (url: URL) => Promise<unknown>]>([
      [
        "a refused connection",
        (url) => whole({ ...loaded(url), url: new URL("http://127.0.0.1:1/?a=planted-query") }),
      ],
      [
        "refused userinfo",
        (url) => whole({ ...loaded(url), url: new URL("http://u:planted-password@127.0.0.1:1/") }),
      ],
      ["a refused header", (url) => whole({ ...loaded(url), headers: [["x-a", "planted-header\n"]] })],
      ["a body that is no JSON", (url) => whole({ ...loaded(url), body: { json: { "planted-body": 1n } } })],
      ["an abort", (url) => whole({ ...loaded(url), signal: AbortSignal.abort() })],
      [
        "a refused redirect",
        (url) =>
          withRedirects({ mode: "same-origin" })(transport).send({
            ...loaded(url),
            url: new URL("/moved?a=planted-query", url),
          }),
      ],
      [
        "a failed fetch",
        () =>
          toFetch(transport)("http://127.0.0.1:1/?a=planted-query", {
            headers: { a: "planted-header" },
          }).catch((error) => Promise.reject(error.cause)),
      ],
      [
        "a fetch underneath",
        (url) =>
          fromFetch(fetch).send({ ...loaded(url), url: new URL("http://127.0.0.1:1/?a=planted-query") }),
      ],
    ])("are in no part of %s", proves("transport/no-secrets"), async (_name, work) => {
      await using server = await wire.server({
        handler: () => ({
          status: 307,
          headers: { location: "http://planted-answer.example/?planted-answer" },
        }),
      });

      const error = await failure(work(server.url));

      expectNoSecret(error, secrets);
    });

    it("are not shown by an inspected response", proves("transport/no-secrets"), async () => {
      await using server = await wire.server({
        handler: () => ({ headers: { "set-cookie": "a=planted-answer" }, body: "planted-answer" }),
      });

      const response = await transport.send(loaded(server.url));

      expectNoSecret(response, secrets);
      expect(await response.text()).toBe("planted-answer");
      expectNoSecret(response, secrets);
    });
  });
});
