import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expectNoSecret, proves, startScriptedServer } from "@hawser/test-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createUndiciTransport,
  type HttpRequest,
  Operation,
  type TransportEvents,
  withRedirects,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";

type Name = keyof TransportEvents;
const NAMES: readonly Name[] = [
  "hawser:transport:request",
  "hawser:transport:attempt",
  "hawser:transport:redirect",
  "hawser:transport:body",
];
const secrets = ["planted-header", "planted-body", "planted-query", "planted-answer"];

const transport = createUndiciTransport({ tracing: "off" });
let server: Awaited<ReturnType<typeof startScriptedServer>>;
const seen: { name: string; event: Record<string, unknown> }[] = [];
const listener = (event: unknown, name: string | symbol) => {
  seen.push({
    name: String(name).replace("hawser:transport:", ""),
    event: event as Record<string, unknown>,
  });
};

beforeAll(async () => {
  server = await startScriptedServer({
    handler: ({ path }, exchange) => {
      if (path.startsWith("/moved")) return { status: 307, headers: { location: "/there?x=planted-answer" } };
      if (path === "/stalls") {
        exchange.response.write("begun");
        return undefined;
      }
      return { headers: { "x-answer": "planted-answer" }, body: "planted-answer" };
    },
  });
});
afterAll(async () => {
  await transport[Symbol.asyncDispose]();
  await server.close();
});
beforeEach(() => {
  seen.length = 0;
  for (const name of NAMES) subscribe(name, listener);
});
afterEach(() => {
  for (const name of NAMES) unsubscribe(name, listener);
});

const post = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url: new URL(path, server.url),
  headers: [["authorization", "planted-header"]],
  body: "planted-body",
  operation: Operation.start({ label: "tools/call" }),
  ...more,
});
const names = () => seen.map(({ name }) => name);

describe("events", () => {
  it("tell of a request, its attempt and the end of its body", proves("transport/events"), async () => {
    const response = await transport.send(post("/path?key=planted-query"));
    await response.bytes();

    const [request, attempt, body] = seen.map(({ event }) => event);
    expect(names()).toEqual(["request", "attempt", "body"]);
    const common = {
      id: request?.["id"],
      method: "POST",
      url: `${server.url.href}path?key=…`,
      label: "tools/call",
    };
    expect(request).toEqual({ ...common, requestBytes: 12 });
    expect(attempt).toEqual({
      ...common,
      durationMs: expect.any(Number),
      requestBytes: 12,
      status: 200,
      code: undefined,
      sent: "yes",
    });
    expect(body).toEqual({
      ...common,
      status: 200,
      durationMs: expect.any(Number),
      bytes: 14,
      outcome: "whole",
      code: undefined,
    });
    expect(attempt?.["durationMs"]).toBeGreaterThan(0);
    expectNoSecret(seen, secrets);
  });

  it("count what was streamed", proves("transport/events"), async () => {
    async function* pieces() {
      yield Buffer.from("planted");
      yield Buffer.from("-body");
    }
    await (await transport.send(post("/path", { body: pieces() }))).bytes();

    expect(seen.map(({ event }) => event["requestBytes"])).toEqual([undefined, 12, undefined]);
  });

  it("have another id for every sending", proves("transport/events"), async () => {
    for (let round = 0; round < 3; round += 1) await (await transport.send(post("/path"))).bytes();

    expect(new Set(seen.map(({ event }) => event["id"])).size).toBe(3);
  });

  it("tell of every hop of a redirect", proves("transport/events"), async () => {
    const following = withRedirects({ mode: "follow" })(transport);
    await (await following.send(post("/moved?key=planted-query"))).bytes();

    expect(names()).toEqual(["request", "attempt", "body", "redirect", "request", "attempt", "body"]);
    expect(seen[3]?.event).toEqual({
      label: "tools/call",
      from: `${server.url.href}moved?key=…`,
      to: `${server.url.href}there?x=…`,
      status: 307,
      hop: 1,
    });
    expectNoSecret(seen, secrets);
  });

  it("tell how an attempt without a response failed", proves("transport/events"), async () => {
    const raw = await startRawServer(() => {});
    await raw[Symbol.asyncDispose]();
    await failure(transport.send(post("", { url: raw.url })));

    expect(names()).toEqual(["request", "attempt"]);
    expect(seen[1]?.event).toMatchObject({
      code: "ERR_TRANSPORT_REFUSED",
      sent: "no",
      status: undefined,
      requestBytes: 0,
    });
  });

  it.each([
    ["cancelled", undefined],
    ["failed", "ERR_TRANSPORT_ABORTED"],
  ] as const)("tell when a body is %s", proves("transport/events"), async (outcome, code) => {
    const caller = new AbortController();
    const response = await transport.send(post("/stalls", { signal: caller.signal }));
    const iterator = response.body[Symbol.asyncIterator]();
    await iterator.next();
    if (outcome === "cancelled") await response.cancel();
    else caller.abort();

    expect(names()).toEqual(["request", "attempt", "body"]);
    expect(seen[2]?.event).toMatchObject({ outcome, code, bytes: 5, status: 200 });
  });

  it("tell nothing of what cannot be sent at all", proves("transport/events"), async () => {
    await failure(transport.send(post("", { url: new URL("ftp://a.example/") })));

    expect(seen).toEqual([]);
  });
});
