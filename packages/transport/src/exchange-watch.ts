import { randomUUID } from "node:crypto";
import type { RequestSent, TransportErrorCode } from "./errors.ts";
import type { HttpRequest } from "./http-request.ts";
import { redactUrl } from "./redact-url.ts";
import type { RequestSpan } from "./request-tracing.ts";
import { attemptChannel, bodyChannel, requestChannel, type TransportEvent } from "./transport-events.ts";

/** Tells those who watch what happens in one exchange. Exists only where somebody does. */
export interface ExchangeWatch {
  head(status: number, requestBytes: number): void;
  whole(bytes: number): void;
  /** Before or after the head. */
  failed(failure: WatchedFailure): void;
}

interface WatchedFailure {
  readonly code: TransportErrorCode;
  readonly sent: RequestSent;
  readonly isCancelled: boolean;
  readonly requestBytes: number;
  readonly bytes: number;
}

/** Undefined when nobody watches. */
export function watchExchange(
  request: HttpRequest,
  requestBytes: number | undefined,
  span: RequestSpan | undefined,
): ExchangeWatch | undefined {
  const isSubscribed =
    requestChannel.hasSubscribers || attemptChannel.hasSubscribers || bodyChannel.hasSubscribers;
  if (!isSubscribed) return span === undefined ? undefined : spanWatch(span);
  const published = publishing(request, requestBytes);
  if (span === undefined) return published;
  const traced = spanWatch(span);
  return {
    head: (status, sentBytes) => {
      traced.head(status, sentBytes);
      published.head(status, sentBytes);
    },
    whole: (bytes) => {
      traced.whole(bytes);
      published.whole(bytes);
    },
    failed: (failure) => {
      traced.failed(failure);
      published.failed(failure);
    },
  };
}

function spanWatch(span: RequestSpan): ExchangeWatch {
  return {
    head: (status) => span.head(status),
    whole: (bytes) => span.end(undefined, bytes),
    // Whoever has read enough has not failed.
    failed: ({ code, isCancelled, bytes }) => span.end(isCancelled ? undefined : code, bytes),
  };
}

function publishing(request: HttpRequest, requestBytes: number | undefined): ExchangeWatch {
  const event: TransportEvent = {
    id: randomUUID(),
    method: request.method,
    url: redactUrl(request.url),
    label: request.operation?.label,
  };
  const startedAtMs = performance.now();
  let head: { readonly status: number; readonly atMs: number } | undefined;
  requestChannel.publish({ ...event, requestBytes });

  return {
    head: (status, sentBytes) => {
      head = { status, atMs: performance.now() };
      const durationMs = head.atMs - startedAtMs;
      attemptChannel.publish({
        ...event,
        durationMs,
        requestBytes: sentBytes,
        status,
        code: undefined,
        sent: "yes",
      });
    },
    whole: (bytes) => {
      if (head === undefined) return;
      const durationMs = performance.now() - head.atMs;
      bodyChannel.publish({
        ...event,
        status: head.status,
        durationMs,
        bytes,
        outcome: "whole",
        code: undefined,
      });
    },
    failed: ({ code, sent, isCancelled, requestBytes: sentBytes, bytes }) => {
      if (head === undefined) {
        const durationMs = performance.now() - startedAtMs;
        attemptChannel.publish({
          ...event,
          durationMs,
          requestBytes: sentBytes,
          status: undefined,
          code,
          sent,
        });
        return;
      }
      const durationMs = performance.now() - head.atMs;
      const { status } = head;
      const outcome = isCancelled ? "cancelled" : "failed";
      bodyChannel.publish({
        ...event,
        status,
        durationMs,
        bytes,
        outcome,
        code: isCancelled ? undefined : code,
      });
    },
  };
}
