import { checkRequest, labelled } from "./check-request.ts";
import { type ClassifiedFault, classifyFault } from "./classify-fault.ts";
import { type BodySource, createHttpResponse } from "./create-http-response.ts";
import { type EffectiveLimits, effectiveLimits } from "./effective-limits.ts";
import { isTransportError, type RequestSent, TransportError, type TransportErrorCode } from "./errors.ts";
import type { HttpLimits, HttpRequest } from "./http-request.ts";
import type { HttpTransport } from "./http-transport.ts";
import type { FetchLike } from "./to-fetch.ts";
import { wireBody } from "./wire-body.ts";

export interface FromFetchOptions {
  /** Bounds for every request; a request's own bounds win one by one. */
  readonly limits?: HttpLimits | undefined;
}

/**
 * A transport on top of a `fetch`, for tests and other runtimes. It asks for redirects to be left alone and keeps
 * every limit but `connectTimeoutMs`, which fetch does not show. What fetch adds and takes away stays so: its own
 * headers, and the decoding of compressed bodies. `sent` is "no" only where the fault proves it.
 */
export function fromFetch(fetch: FetchLike, options: FromFetchOptions = {}): HttpTransport {
  return {
    send: async (request) => {
      checkRequest(request);
      const limits = effectiveLimits(request.limits, options.limits ?? {});
      const { bytes, contentType } = wireBody(request);
      const guard = new Guard(request, limits.totalTimeoutMs);
      const endHeaders = guard.within(limits.headersTimeoutMs, HEADERS_SILENT);
      let response: Response;
      try {
        response = await fetch(request.url.href, {
          method: request.method,
          headers: new Headers([
            ...request.headers.map(([name, value]) => [name, value] as [string, string]),
            ...(contentType === undefined ? [] : [["content-type", contentType] as [string, string]]),
          ]),
          redirect: "manual",
          signal: guard.signal,
          ...(bytes === undefined
            ? {}
            : {
                body: bytes instanceof Uint8Array ? bytes : ReadableStream.from(bytes),
                duplex: "half" as const,
              }),
        } as RequestInit);
      } catch (fault) {
        throw guard.end(fault);
      } finally {
        endHeaders();
      }
      guard.sent = "yes";
      return createHttpResponse({
        status: response.status,
        url: request.url,
        headers: [...response.headers],
        body: new FetchedBody(response, guard, limits),
      });
    },
  };
}

const HEADERS_SILENT = ["ERR_TRANSPORT_HEADERS_TIMEOUT", "no response head within headersTimeoutMs"] as const;
const BODY_SILENT = [
  "ERR_TRANSPORT_BODY_TIMEOUT",
  "the response body was silent for bodyIdleTimeoutMs",
] as const;

/** Ends one exchange for the first reason that comes: the caller, a limit, or the end of the body. */
class Guard {
  sent: RequestSent = "unknown";
  readonly #request: HttpRequest;
  readonly #abort = new AbortController();
  readonly #deadline: NodeJS.Timeout | undefined;
  readonly #onAbort = () =>
    this.stop("ERR_TRANSPORT_ABORTED", "aborted by the caller", this.#request.signal?.reason);

  constructor(request: HttpRequest, totalTimeoutMs: number) {
    this.#request = request;
    request.signal?.addEventListener("abort", this.#onAbort, { once: true });
    const remainingMs = request.operation?.remainingMs() ?? Number.POSITIVE_INFINITY;
    const totalMs = totalTimeoutMs > 0 ? totalTimeoutMs : Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(remainingMs, totalMs);
    if (deadlineMs <= 2_147_483_647) {
      this.#deadline = setTimeout(() => {
        if (remainingMs <= totalMs) {
          this.stop("ERR_TRANSPORT_TIMEOUT", "the operation's deadline passed", undefined, "never");
        } else {
          this.stop("ERR_TRANSPORT_TIMEOUT", "not finished within totalTimeoutMs");
        }
      }, Math.ceil(deadlineMs));
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(code: TransportErrorCode, message: string, cause?: unknown, retry?: "never"): void {
    const { url, operation } = this.#request;
    const text = labelled(operation, message);
    this.#abort.abort(new TransportError(code, text, { url, sent: this.sent, cause, retry }));
    this.release();
  }

  /** Starts a limit; the returned function ends it. */
  within(limitMs: number, [code, message]: readonly [TransportErrorCode, string]): () => void {
    if (limitMs <= 0) return () => {};
    const timer = setTimeout(() => this.stop(code, message), limitMs);
    return () => clearTimeout(timer);
  }

  /** The error of an exchange that `fault` has ended. */
  end(fault: unknown): unknown {
    this.release();
    if (isTransportError(this.signal.reason)) return this.signal.reason;
    const inner = fault instanceof Error ? fault.cause : undefined;
    if (isTransportError(inner)) return inner;
    if (!(fault instanceof TypeError)) return fault;
    const { code, message, cause }: ClassifiedFault = classifyFault(fault.cause ?? fault);
    const { url, operation } = this.#request;
    const sent = this.sent === "unknown" && NEVER_SENT.has(code) ? "no" : this.sent;
    return new TransportError(code, labelled(operation, message), { url, sent, cause });
  }

  release(): void {
    clearTimeout(this.#deadline);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

const NEVER_SENT: ReadonlySet<TransportErrorCode> = new Set<TransportErrorCode>([
  "ERR_TRANSPORT_DNS",
  "ERR_TRANSPORT_REFUSED",
  "ERR_TRANSPORT_CONNECT",
  "ERR_TRANSPORT_CONNECT_TIMEOUT",
  "ERR_TRANSPORT_TLS_UNTRUSTED",
  "ERR_TRANSPORT_TLS_EXPIRED",
  "ERR_TRANSPORT_TLS_NAME",
  "ERR_TRANSPORT_PROXY",
  "ERR_TRANSPORT_PROXY_AUTH",
]);

class FetchedBody implements BodySource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #guard: Guard;
  readonly #limits: EffectiveLimits;
  #receivedBytes = 0;

  constructor(response: Response, guard: Guard, limits: EffectiveLimits) {
    this.#reader = response.body?.getReader();
    this.#guard = guard;
    this.#limits = limits;
    if (this.#reader === undefined) guard.release();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { bodyIdleTimeoutMs, maxResponseBytes } = this.#limits;
    if (this.#reader === undefined) return { done: true, value: undefined };
    const endSilence = this.#guard.within(bodyIdleTimeoutMs, BODY_SILENT);
    try {
      const step = await this.#reader.read();
      if (step.done) {
        this.#guard.release();
        return { done: true, value: undefined };
      }
      this.#receivedBytes += step.value.byteLength;
      if (maxResponseBytes > 0 && this.#receivedBytes > maxResponseBytes) {
        const text = `the response body is larger than ${maxResponseBytes} bytes`;
        this.#guard.stop("ERR_TRANSPORT_BODY_TOO_LARGE", text);
        throw this.#guard.signal.reason;
      }
      return step;
    } catch (fault) {
      throw this.#guard.end(fault);
    } finally {
      endSilence();
    }
  }

  async cancel(): Promise<void> {
    this.#guard.release();
    // A stream that already failed rejects its cancel; there is nothing left to release then.
    await this.#reader?.cancel().catch(() => {});
  }
}
