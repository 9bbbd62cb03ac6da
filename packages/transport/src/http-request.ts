import type { Operation } from "./operation.ts";

/** Header fields in the order they are sent; a name may repeat. Names compare without regard to case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/**
 * What a request carries. Bytes, strings and `{ json }` can be sent again as they are; an async iterable or a
 * web stream can be read once (see `prepareRequest`).
 */
export type HttpBody =
  | Uint8Array
  | string
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>
  | { readonly json: unknown };

/**
 * Bounds of one request. Each has its own error code; `0` means no bound. Those on the response head and on silence
 * run on undici's shared timers and may fire up to a second late.
 */
export interface HttpLimits {
  /**
   * Name lookup, TCP, proxy and TLS. A request that shares a bounded pool also waits for its turn within it. A
   * dispatcher has its own bound, which a request can shorten and not lengthen.
   *
   * @defaultValue the dispatcher's, 10_000
   */
  readonly connectTimeoutMs?: number | undefined;
  /** From the end of the request to the response head. @defaultValue 300_000 */
  readonly headersTimeoutMs?: number | undefined;
  /** Longest silence between two pieces of the response body. @defaultValue 300_000 */
  readonly bodyIdleTimeoutMs?: number | undefined;
  /** The whole exchange, body included. The operation's deadline bounds it as well. @defaultValue 0 */
  readonly totalTimeoutMs?: number | undefined;
  /** Response body size as delivered to the caller. @defaultValue 0 */
  readonly maxResponseBytes?: number | undefined;
}

/** One HTTP request, sent once. */
export interface HttpRequest {
  readonly method: string;
  /** http or https, absolute. Userinfo is refused. */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly body?: HttpBody | undefined;
  /** The caller gives up; nothing is sent afterwards and an unread body is cancelled. */
  readonly signal?: AbortSignal | undefined;
  readonly limits?: HttpLimits | undefined;
  /** Says that sending twice does no harm, whatever the method. Without it a POST is never repeated. */
  readonly idempotent?: boolean | undefined;
  /** The public operation this request belongs to: label, deadline, and what rooms put in it. */
  readonly operation?: Operation | undefined;
}
