import { once } from "node:events";
import { proves, startScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createUndiciTransport,
  fromFetch,
  type HttpRequest,
  Operation,
  type TransportError,
  toFetch,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";

const transport = createUndiciTransport();
const send = toFetch(transport);
let server: Awaited<ReturnType<typeof startScriptedServer>>;
let gone: Promise<unknown>;

beforeAll(async () => {
  server = await startScriptedServer({
    handler: (seen, exchange) => {
      gone = once(exchange.gone, "abort");
      if (seen.path === "/moved") return { status: 302, headers: { location: "/there" } };
      if (seen.path === "/empty") return { status: 204 };
      if (seen.path === "/silent") return undefined;
      if (seen.path === "/stalls") {
        exchange.response.write("begun");
        return undefined;
      }
      return {
        status: seen.path === "/teapot" ? 418 : 200,
        headers: { "x-method": seen.method, "set-cookie": ["a=1", "b=2"], "content-type": "text/plain" },
        body: seen.body,
      };
    },
  });
});
afterAll(async () => {
  await transport[Symbol.asyncDispose]();
  await server.close();
});
describe(fromFetch, () => {
  const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "POST",
    url: new URL(path, server.url),
    headers: [],
    ...more,
  });

  it.each([
    ["the global fetch", fetch],
    ["toFetch", send],
  ])("sends over %s", proves("transport/from-fetch"), async (_name, underneath) => {
    const wire = fromFetch(underneath);

    const response = await wire.send(request("/echo", { body: { json: { a: 1 } }, headers: [["x-a", "1"]] }));
    expect(await response.json()).toEqual({ a: 1 });
    expect(response.headers.filter(([name]) => name === "set-cookie")).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    expect(server.seen.at(-1)?.headers).toMatchObject({ "content-type": "application/json", "x-a": "1" });

    const moved = await wire.send(request("/moved", { method: "GET" }));
    expect(moved.status).toBe(302);
    await moved.cancel();

    async function* pieces() {
      yield new TextEncoder().encode("str");
      yield new TextEncoder().encode("eam");
    }
    expect(await (await wire.send(request("/echo", { body: pieces() }))).text()).toBe("stream");
  });

  it.each<[TransportError["code"], Partial<HttpRequest>, string]>([
    ["ERR_TRANSPORT_HEADERS_TIMEOUT", { limits: { headersTimeoutMs: 30 } }, "/silent"],
    ["ERR_TRANSPORT_TIMEOUT", { limits: { totalTimeoutMs: 30 } }, "/silent"],
    ["ERR_TRANSPORT_TIMEOUT", { limits: { totalTimeoutMs: 1_000 } }, "/stalls"],
    ["ERR_TRANSPORT_BODY_TIMEOUT", { limits: { bodyIdleTimeoutMs: 30 } }, "/stalls"],
    ["ERR_TRANSPORT_BODY_TOO_LARGE", { limits: { maxResponseBytes: 4 } }, "/stalls"],
  ])("ends with %s", proves("transport/from-fetch"), async (code, more, path) => {
    const wire = fromFetch(fetch);

    const error = await failure(wire.send(request(path, more)).then((response) => response.text()));

    expect([error.code, error.sent]).toEqual([code, path === "/silent" ? "unknown" : "yes"]);
    await gone;
  });

  it(
    "ends with ERR_TRANSPORT_ABORTED when the caller leaves the body",
    proves("transport/from-fetch"),
    async () => {
      const caller = new AbortController();
      const response = await fromFetch(fetch).send(request("/stalls", { signal: caller.signal }));

      const text = failure(response.text());
      caller.abort();

      expect(await text).toMatchObject({ code: "ERR_TRANSPORT_ABORTED", sent: "yes" });
      await gone;
    },
  );

  it("gives up the connection of a cancelled body", proves("transport/from-fetch"), async () => {
    const response = await fromFetch(fetch).send(request("/stalls"));
    await response.cancel();
    await gone;
  });

  it("sends nothing for a late operation", proves("transport/from-fetch", "transport/deadline"), async () => {
    let calls = 0;
    const wire = fromFetch(async () => {
      calls += 1;
      return new Response();
    });
    const operation = Operation.start({ label: "late", timeoutMs: 0 });

    const error = await failure(wire.send(request("/echo", { operation })));

    expect([error.code, error.sent, calls]).toEqual(["ERR_TRANSPORT_TIMEOUT", "no", 0]);
  });

  it(
    "knows a refused connection and hands errors through toFetch unchanged",
    proves("transport/from-fetch"),
    async () => {
      const raw = await startRawServer(() => {});
      await raw[Symbol.asyncDispose]();
      const refused: HttpRequest = { method: "GET", url: raw.url, headers: [] };

      for (const underneath of [fetch, send]) {
        const error = await failure(fromFetch(underneath).send(refused));
        expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_REFUSED", "no"]);
      }
    },
  );
});
