import type { Dispatcher } from "undici";
import { labelled } from "./check-request.ts";
import { classifyFault } from "./classify-fault.ts";
import { type BodySource, sourcedResponse } from "./create-http-response.ts";
import type { Deadline, DeadlineTimers } from "./deadline-timers.ts";
import { decodedResponse } from "./decoded-response.ts";
import { isTransportError, type RequestSent, TransportError, type TransportErrorCode } from "./errors.ts";
import type { ExchangeWatch } from "./exchange-watch.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import type { RequestBodyStream } from "./request-body-stream.ts";
import { responseHeaders } from "./response-headers.ts";

/** What one exchange needs to know beside the request. */
export interface ExchangeOptions {
  readonly request: HttpRequest;
  readonly requestBody: RequestBodyStream | undefined;
  /** Own timer for the connection; 0 leaves it to the dispatcher's. */
  readonly connectTimeoutMs: number;
  /** Until the last byte of the body; 0 means no bound. */
  readonly totalTimeoutMs: number;
  /** 0 means no bound. */
  readonly maxResponseBytes: number;
  /** Undoes content codings; undefined leaves the body as it comes. */
  readonly decompress: { readonly maxRatio: number } | undefined;
  readonly watch: ExchangeWatch | undefined;
  readonly deadlines: DeadlineTimers;
  /** Of a body in memory, for those who watch. */
  readonly requestBytes: number;
  /** Somebody reads or cancels the body. */
  readonly onTouched: () => void;
}

/** How much of a body is kept for a slow reader before the socket is paused. */
const HIGH_WATER_BYTES = 64 * 1024;

/** By how much what arrives may be more than what comes out; it must not be endless when nothing does. */
const CODING_SLACK_BYTES = 64 * 1024;

/**
 * One request and its response on one connection. It is undici's handler on one side and the response's body on
 * the other; whatever ends it first decides, everything later is ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler, BodySource {
  readonly #options: ExchangeOptions;
  /** Let go of once settled: it would keep the response alive, and an abandoned one could never be noticed. */
  #head: PromiseWithResolvers<HttpResponse> | undefined = Promise.withResolvers();
  readonly #pieces: Uint8Array[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #sent: RequestSent = "no";
  #state: "open" | "ended" | "failed" = "open";
  #failure: TransportError | undefined;
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;
  #bufferedBytes = 0;
  #receivedBytes = 0;
  #maxBytes: number;
  #isCancelled = false;
  #isTouched = false;
  #connectTimer: NodeJS.Timeout | undefined;
  #deadline: Deadline | undefined;
  #isDispatching = false;
  #onAbort: (() => void) | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#maxBytes = options.maxResponseBytes;
  }

  /** Sends the request; resolves when the response head is here. `remainingMs` is what the operation has left. */
  run(
    dispatcher: Dispatcher,
    options: Dispatcher.DispatchOptions,
    remainingMs: number,
  ): Promise<HttpResponse> {
    const { request, connectTimeoutMs, totalTimeoutMs } = this.#options;
    const { signal } = request;
    if (signal !== undefined) {
      this.#onAbort = () => this.#fail("ERR_TRANSPORT_ABORTED", "aborted by the caller", signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    const totalMs = totalTimeoutMs > 0 ? totalTimeoutMs : Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(totalMs, remainingMs);
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      this.#deadline = this.#options.deadlines.start(deadlineMs, () =>
        remainingMs <= totalMs ? this.#deadlinePassed() : this.#totalPassed(),
      );
    }
    const head = this.#head as PromiseWithResolvers<HttpResponse>;
    this.#isDispatching = true;
    try {
      dispatcher.dispatch(options, this);
    } catch (fault) {
      this.onResponseError(undefined, fault);
    }
    this.#isDispatching = false;
    if (connectTimeoutMs > 0 && this.#sent === "no" && this.#state === "open") {
      this.#connectTimer = setTimeout(
        () => this.#fail("ERR_TRANSPORT_CONNECT_TIMEOUT", "no connection within connectTimeoutMs"),
        connectTimeoutMs,
      );
    }
    return head.promise;
  }

  // undici's side: called while the connection is used.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    clearTimeout(this.#connectTimer);
    // Nothing is written yet: a caller who left, or whose deadline passed meanwhile, has sent nothing.
    if (!this.#isDispatching && this.#state === "open") this.#checkDeadline();
    if (this.#failure !== undefined) {
      controller.abort(this.#failure);
      return;
    }
    this.#sent = "unknown";
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#state !== "open") return;
    this.#sent = "yes";
    const { request, decompress, watch } = this.#options;
    watch?.head(status, this.#sentBytes());
    const list = responseHeaders(controller.rawHeaders, headers);
    const decoded = decompress === undefined ? undefined : this.#decoded(status, list, decompress.maxRatio);
    this.#head?.resolve(decoded ?? sourcedResponse(status, request.url, list, this));
    this.#head = undefined;
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#receivedBytes += piece.byteLength;
    if (this.#maxBytes > 0 && this.#receivedBytes > this.#maxBytes) {
      const { maxResponseBytes } = this.#options;
      this.#fail(
        "ERR_TRANSPORT_BODY_TOO_LARGE",
        `the response body is larger than ${maxResponseBytes} bytes`,
      );
      return;
    }
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: piece });
      this.#reader = undefined;
      return;
    }
    this.#pieces.push(piece);
    this.#bufferedBytes += piece.byteLength;
    if (this.#bufferedBytes >= HIGH_WATER_BYTES) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#release();
    this.#options.watch?.whole(this.#receivedBytes);
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, fault: unknown): void {
    if (this.#state !== "open") return;
    const { requestBody } = this.#options;
    if (requestBody?.sourceFault !== undefined) {
      const { error } = requestBody.sourceFault;
      this.#fail("ERR_TRANSPORT_REQUEST_BODY", "the source of the request body failed", error);
    } else if (isTransportError(fault)) {
      this.#end(fault);
    } else {
      const { code, message, cause } = classifyFault(fault, this.#sent);
      this.#fail(code, message, cause);
    }
  }

  // The reader's side.

  /** Whether the connection is still held. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#touch();
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#bufferedBytes -= piece.byteLength;
      if (this.#bufferedBytes < HIGH_WATER_BYTES && this.#controller?.paused === true)
        this.#controller.resume();
      return Promise.resolve({ done: false, value: piece });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#state === "ended") return Promise.resolve({ done: true, value: undefined });
    if (this.#reader !== undefined) {
      return this.#reader.promise.then(
        () => this.next(),
        () => this.next(),
      );
    }
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  takeRest(): Uint8Array[] | undefined {
    if (this.#state !== "ended") return undefined;
    this.#bufferedBytes = 0;
    return this.#pieces.splice(0);
  }

  cancel(): void {
    this.#touch();
    this.#pieces.length = 0;
    this.#isCancelled = true;
    this.#fail("ERR_TRANSPORT_ABORTED", "the response body was cancelled");
  }

  #decoded(status: number, headers: HeaderList, maxRatio: number): HttpResponse | undefined {
    const { request, maxResponseBytes: maxBytes } = this.#options;
    const response = decodedResponse({ request, status, headers, source: this, maxRatio, maxBytes });
    if (response !== undefined && maxBytes > 0) this.#maxBytes = maxBytes + CODING_SLACK_BYTES;
    return response;
  }

  #touch(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.#options.onTouched();
  }

  #checkDeadline(): void {
    if (this.#options.request.operation?.remainingMs() === 0) this.#deadlinePassed();
  }

  /** Past the operation's own deadline no further attempt can help. */
  #deadlinePassed(): void {
    this.#end(
      new TransportError(
        "ERR_TRANSPORT_TIMEOUT",
        labelled(this.#options.request.operation, "the operation's deadline passed"),
        {
          url: this.#options.request.url,
          sent: this.#sent,
          retry: "never",
        },
      ),
    );
  }

  #totalPassed(): void {
    this.#fail("ERR_TRANSPORT_TIMEOUT", "not finished within totalTimeoutMs");
  }

  #fail(code: TransportErrorCode, message: string, cause?: unknown): void {
    if (this.#state !== "open") return;
    const { url } = this.#options.request;
    this.#end(
      new TransportError(code, labelled(this.#options.request.operation, message), {
        url,
        sent: this.#sent,
        cause,
      }),
    );
  }

  /** The only way to fail: says why to whoever waits, and lets go of the connection. */
  #end(failure: TransportError): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#failure = failure;
    this.#release();
    const { watch } = this.#options;
    if (watch !== undefined) this.#tell(watch, failure);
    this.#options.requestBody?.stop(failure);
    this.#head?.reject(failure);
    this.#head = undefined;
    this.#reader?.reject(failure);
    this.#reader = undefined;
    this.#controller?.abort(failure);
  }

  #tell(watch: ExchangeWatch, { code, sent }: TransportError): void {
    watch.failed({
      code,
      sent,
      isCancelled: this.#isCancelled,
      requestBytes: this.#sentBytes(),
      bytes: this.#receivedBytes,
    });
  }

  #sentBytes(): number {
    const { requestBody, requestBytes } = this.#options;
    if (requestBody !== undefined) return requestBody.sentBytes;
    return this.#sent === "no" ? 0 : requestBytes;
  }

  #release(): void {
    clearTimeout(this.#connectTimer);
    if (this.#deadline !== undefined) this.#options.deadlines.stop(this.#deadline);
    if (this.#onAbort !== undefined)
      this.#options.request.signal?.removeEventListener("abort", this.#onAbort);
  }
}
