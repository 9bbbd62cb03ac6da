import { type BodySource, TransportError, type TransportErrorCode } from "@hawser/transport";

/** A piece of a streamed body as it comes. */
export interface BodyDelta {
  readonly requestId: string;
  /** 1 for the first piece, then without gaps. */
  readonly seq: number;
  readonly deltaBase64: string;
  readonly done: boolean;
  readonly error?: string | null | undefined;
  readonly data?: { readonly code: string } | null | undefined;
}

export interface RemoteBodyOptions {
  readonly url: URL;
  /** Fails with `ERR_TRANSPORT_BODY_TOO_LARGE` above it; 0 means no bound. */
  readonly maxResponseBytes: number;
  /** Fails with `ERR_TRANSPORT_BODY_TIMEOUT` after this silence; 0 means no bound. */
  readonly idleTimeoutMs: number;
  /** Pieces that wait to be read, in bytes; more is more than the server was told there is room for. */
  readonly maxQueuedBytes: number;
  /** Says that so many bytes were read. */
  readonly onRead: (bytes: number) => void;
  /** The body is over: read to its end, failed or given up. Called once. */
  readonly onEnd: (how: "finished" | "given up") => void;
}

/** The body of one remote response: pieces pushed by the connection, pulled by the reader. */
export class RemoteBody implements BodySource {
  readonly #options: RemoteBodyOptions;
  #pieces: Buffer[] = [];
  #queuedBytes = 0;
  #receivedBytes = 0;
  #nextSeq = 1;
  #end: { readonly error: TransportError | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: RemoteBodyOptions) {
    this.#options = options;
  }

  /** Takes a piece. What does not fit the protocol, or the bounds, fails the body. */
  push(delta: BodyDelta): void {
    if (this.#end !== undefined) return;
    const bytes = Buffer.from(delta.deltaBase64, "base64");
    this.#receivedBytes += bytes.byteLength;
    this.#queuedBytes += bytes.byteLength;
    const { maxResponseBytes, maxQueuedBytes } = this.#options;
    if (delta.seq !== this.#nextSeq) {
      this.fail("ERR_TRANSPORT_PROTOCOL", "a piece of the body is missing");
    } else if (maxResponseBytes > 0 && this.#receivedBytes > maxResponseBytes) {
      this.fail("ERR_TRANSPORT_BODY_TOO_LARGE", "the response body is too large");
    } else if (this.#queuedBytes > maxQueuedBytes) {
      this.fail("ERR_TRANSPORT_RESET", "the body came faster than it was read");
    } else {
      this.#nextSeq += 1;
      if (bytes.byteLength > 0) this.#pieces.push(bytes);
      if (delta.done) this.#finish(this.#remoteFault(delta), "finished");
      this.#wake?.();
    }
  }

  /** Ends the body with an error, behind what is already here. */
  fail(code: TransportErrorCode, message: string): void {
    if (this.#end === undefined) this.#finish(this.#error(code, message), "given up");
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#queuedBytes -= piece.byteLength;
        if (this.#end === undefined) this.#options.onRead(piece.byteLength);
        return { done: false, value: piece };
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await this.#news();
    }
  }

  cancel(): void {
    this.#pieces = [];
    if (this.#end === undefined) this.#finish(undefined, "given up");
    this.#wake?.();
  }

  async #news(): Promise<void> {
    const { idleTimeoutMs } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer =
      idleTimeoutMs > 0
        ? setTimeout(
            () => this.fail("ERR_TRANSPORT_BODY_TIMEOUT", "the response body fell silent"),
            idleTimeoutMs,
          )
        : undefined;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #remoteFault({ error, data }: BodyDelta): TransportError | undefined {
    if (error === undefined || error === null) return undefined;
    return this.#error(
      remoteCode(data?.code) ?? "ERR_TRANSPORT_RESET",
      "the exec-server lost the response body",
    );
  }

  #error(code: TransportErrorCode, message: string): TransportError {
    return new TransportError(code, message, { url: this.#options.url, sent: "yes" });
  }

  #finish(error: TransportError | undefined, how: "finished" | "given up"): void {
    this.#end = { error };
    this.#options.onEnd(how);
  }
}

/** A code that another process gave to a failed exchange, when it is one of the transport's. */
export function remoteCode(code: string | undefined): TransportErrorCode | undefined {
  return code !== undefined && /^ERR_TRANSPORT_[A-Z_]{1,40}$/.test(code)
    ? (code as TransportErrorCode)
    : undefined;
}
