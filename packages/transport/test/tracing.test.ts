import { createRequire } from "node:module";
import { expectNoSecret, proves, spawnChild, startScriptedServer } from "@hawser/test-kit";
import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createUndiciTransport, type HttpRequest, withRedirects } from "../src/index.ts";
import { requestTracing } from "../src/request-tracing.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";

const exporter = new InMemorySpanExporter();
const transport = createUndiciTransport();
let server: Awaited<ReturnType<typeof startScriptedServer>>;

beforeAll(async () => {
  const beside = createRequire(createRequire(import.meta.url).resolve("@opentelemetry/sdk-trace-base"));
  const { W3CTraceContextPropagator } = beside("@opentelemetry/core") as {
    W3CTraceContextPropagator: new () => TextMapPropagator;
  };
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  server = await startScriptedServer({
    handler: ({ path }) => {
      if (path === "/moved") return { status: 307, headers: { location: "/there" } };
      return { status: path === "/broken" ? 503 : 200, body: "planted-answer" };
    },
  });
});
afterAll(async () => {
  trace.disable();
  context.disable();
  propagation.disable();
  await transport[Symbol.asyncDispose]();
  await server.close();
});
beforeEach(() => exporter.reset());

const get = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url: new URL(path, server.url),
  headers: [["authorization", "planted-header"]],
  ...more,
});
const spans = () => exporter.getFinishedSpans();

describe("with @opentelemetry/api", () => {
  it(
    "a sending is a span of the active one, and the server is told",
    proves("transport/tracing"),
    async () => {
      const outer = trace.getTracer("test").startSpan("outer");
      await context.with(trace.setSpan(context.active(), outer), async () => {
        await (await transport.send(get("/path?key=planted-query"))).bytes();
      });
      outer.end();

      const [span] = spans();
      expect(span).toMatchObject({
        name: "GET",
        kind: SpanKind.CLIENT,
        parentSpanContext: { spanId: outer.spanContext().spanId },
        attributes: {
          "http.request.method": "GET",
          "server.address": "127.0.0.1",
          "server.port": server.port,
          "url.full": `${server.url.href}path?key=…`,
          "http.response.status_code": 200,
          "http.response.body.size": 14,
        },
        status: { code: SpanStatusCode.UNSET },
      });
      const { traceId, spanId } = span?.spanContext() ?? {};
      expect(server.seen.at(-1)?.headers["traceparent"]).toBe(`00-${traceId}-${spanId}-01`);
      expectNoSecret(span?.attributes, ["planted"]);
    },
  );

  it("each hop is a span", proves("transport/tracing"), async () => {
    await (await withRedirects({ mode: "follow" })(transport).send(get("/moved"))).bytes();

    expect(spans().map(({ attributes }) => attributes["http.response.status_code"])).toEqual([307, 200]);
    const told = server.seen.slice(-2).map(({ headers }) => headers["traceparent"]);
    expect(new Set(told).size).toBe(2);
  });

  it("a failure status and a missing response are errors", proves("transport/tracing"), async () => {
    await (await transport.send(get("/broken"))).bytes();
    const raw = await startRawServer(() => {});
    await raw[Symbol.asyncDispose]();
    await failure(transport.send(get("", { url: raw.url })));

    expect(spans().map(({ status, attributes }) => [status.code, attributes["error.type"]])).toEqual([
      [SpanStatusCode.ERROR, "503"],
      [SpanStatusCode.ERROR, "ERR_TRANSPORT_REFUSED"],
    ]);
  });

  it("a cancelled body ends the span without an error", proves("transport/tracing"), async () => {
    await (await transport.send(get("/path"))).cancel();

    expect(spans().map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET]);
  });

  it("the caller's own trace context stays", proves("transport/tracing"), async () => {
    const own = "00-11111111111111111111111111111111-2222222222222222-01";
    await (await transport.send(get("/path", { headers: [["Traceparent", own]] }))).bytes();

    expect(server.seen.at(-1)?.headers["traceparent"]).toBe(own);
  });

  it("nothing is done when it is off", proves("transport/tracing"), async () => {
    await using off = createUndiciTransport({ tracing: "off" });
    await (await off.send(get("/path"))).bytes();

    expect([spans().length, server.seen.at(-1)?.headers["traceparent"]]).toEqual([0, undefined]);
  });

  it("is not there when it cannot be loaded", proves("transport/tracing"), () => {
    const asked: string[] = [];
    const absent = (name: string) => {
      asked.push(name);
      throw Object.assign(new Error("not found"), { code: "MODULE_NOT_FOUND" });
    };

    expect([requestTracing(absent), asked]).toEqual([undefined, ["@opentelemetry/api"]]);
  });
});

describe.each(["absent", "present"])("with @opentelemetry/api %s", (mode) => {
  it("requests are sent, and it is looked for once, at the first", proves("transport/tracing"), async () => {
    await using child = spawnChild({
      script: new URL("support/tracing-child.ts", import.meta.url),
      args: [server.url.href, mode],
    });

    const line = await child.waitForLine((text) => text.startsWith("{"));

    expect(JSON.parse(line)).toEqual({ status: 200, askedBefore: [], asked: ["@opentelemetry/api"] });
    expect((await child.exited).code).toBe(0);
  });
});
