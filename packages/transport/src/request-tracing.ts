import { createRequire } from "node:module";
import type * as Api from "@opentelemetry/api";
import type { TransportErrorCode } from "./errors.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import { redactUrl } from "./redact-url.ts";

/** Spans and trace context for requests, by the OpenTelemetry API that the process has. */
export interface RequestTracing {
  /** Begins a span, or undefined when nobody records and nothing is to be passed on. */
  start(request: HttpRequest): RequestSpan | undefined;
}

/** The span of one sending: ends with the response's body. */
export interface RequestSpan {
  /** What carries the trace to the server; `traceparent` and `tracestate` with the usual propagator. */
  readonly headers: HeaderList;
  head(status: number): void;
  end(code: TransportErrorCode | undefined, bytes: number): void;
}

/**
 * Loads `@opentelemetry/api` when it is installed. Names and attributes follow the semantic conventions for HTTP
 * clients, except that `url.full` is without query values.
 *
 * @param load - Loads a package by name.
 */
export function requestTracing(
  load: (name: string) => unknown = createRequire(import.meta.url),
): RequestTracing | undefined {
  let api: typeof Api;
  try {
    api = load("@opentelemetry/api") as typeof Api;
  } catch {
    // Not installed, or not usable: either way a request must not fail for it.
    return undefined;
  }
  const tracer = api.trace.getTracer("@hawser/transport");
  return {
    start: (request) => {
      const { propagation, trace } = api;
      const provider = trace.getTracerProvider();
      // Nearly every request of nearly every process: the API is there and no SDK behind it.
      const isIdle =
        provider instanceof api.ProxyTracerProvider && provider.getDelegateTracer("") === undefined;
      if (isIdle && propagation.fields().length === 0) return undefined;
      return startSpan(api, tracer, request);
    },
  };
}

function startSpan(api: typeof Api, tracer: Api.Tracer, request: HttpRequest): RequestSpan | undefined {
  const { method, url } = request;
  const parent = api.context.active();
  const span = tracer.startSpan(
    method,
    {
      kind: api.SpanKind.CLIENT,
      attributes: {
        "http.request.method": method,
        "server.address": url.hostname,
        "server.port": url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
      },
    },
    parent,
  );
  const headers: [string, string][] = [];
  if (api.propagation.fields().length > 0) {
    api.propagation.inject(api.trace.setSpan(parent, span), headers, { set: append });
  }
  if (!span.isRecording()) return headers.length === 0 ? undefined : { headers, head: ignore, end: ignore };
  span.setAttribute("url.full", redactUrl(url));
  return {
    headers,
    head: (status) => {
      span.setAttribute("http.response.status_code", status);
      if (status < 400) return;
      span.setAttribute("error.type", String(status));
      span.setStatus({ code: api.SpanStatusCode.ERROR });
    },
    end: (code, bytes) => {
      span.setAttribute("http.response.body.size", bytes);
      if (code !== undefined) {
        span.setAttribute("error.type", code);
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

function append(headers: [string, string][], name: string, value: string): void {
  headers.push([name, value]);
}

function ignore(): void {}
