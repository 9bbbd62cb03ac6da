import { openByteSource, type ReadStep } from "./byte-source.ts";
import { drainSource } from "./drain-source.ts";
import { abortedError, RetrySseError } from "./errors.ts";
import { EventDecoder, type SseEvent } from "./event-decoder.ts";
import { foreignContentError, isEventStream } from "./foreign-content.ts";
import { giveUp } from "./give-up.ts";
import { SilenceWatch } from "./silence-watch.ts";

export interface SseStreamOptions {
  /** Longest silence while the caller waits; comments and pieces of events count as sound. 0: none. @defaultValue 300_000 */
  readonly idleTimeoutMs?: number | undefined;
  /** Longest wait for one event, whatever else arrives. 0: none. @defaultValue 0 */
  readonly progressTimeoutMs?: number | undefined;
  /** Name, data and id of one event in UTF-8; very many lines or pieces count for more. @defaultValue 16 MiB */
  readonly maxEventBytes?: number | undefined;
  /**
   * Events, comments and unknown fields in a second, and as many at once after a pause: what a stream costs is counted
   * in these and not in bytes. 0: none. @defaultValue 100_000
   */
  readonly maxEventsPerSecond?: number | undefined;
  /**
   * Content type of the response, null when it has none: bytes that are no event stream are not parsed, and the error
   * says what came instead. @defaultValue not looked at
   */
  readonly contentType?: string | null | undefined;
  /**
   * Declares which event is the last. The stream ends with it, whatever the socket does, and bytes that end without
   * it are an error. @defaultValue the end of the bytes is the end
   */
  readonly isTerminal?: ((event: SseEvent) => boolean) | undefined;
  /**
   * How long, after the declared last event, the bytes may take to end before the source is freed. Nobody waits for
   * it, and a connection whose body has ended serves the next request. 0: free at once. @defaultValue 250
   */
  readonly endWaitMs?: number | undefined;
  /** The caller gives up: the source is freed at once and a waiting read rejects. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each comment, which is how servers keep a connection alive. */
  readonly onComment?: ((comment: string) => void) | undefined;
  /** Called with the delay before a reconnect that the server asks for, at most one hour. */
  readonly onRetry?: ((delayMs: number) => void) | undefined;
  /**
   * Frees the source as well, when the stream ends before its bytes: give `response.cancel` when the bytes come from a
   * generator, which cannot be interrupted while it waits. @defaultValue none
   */
  readonly release?: (() => unknown) | undefined;
}

/** Events as they arrive. One consumer; `return()` frees the source at once, also while a `next()` is waiting. */
export interface SseStream extends AsyncIterableIterator<SseEvent, undefined, undefined>, AsyncDisposable {
  next(): Promise<IteratorResult<SseEvent, undefined>>;
  return(): Promise<IteratorResult<SseEvent, undefined>>;
  [Symbol.asyncIterator](): SseStream;
  /** What a reconnect sends as `Last-Event-ID`, counting what was delivered; empty when there was none. */
  readonly lastEventId: string;
}

/**
 * Reads server-sent events (HTML standard, section 9.2) out of bytes in pieces of any size. Bytes are taken only while
 * somebody waits for an event, so a slow consumer slows the sender and trips no timeout.
 *
 * A rejection of the source passes unchanged. Otherwise reading rejects with a {@link RetrySseError}; what arrived
 * before it is delivered first. It does not reconnect: see `streamWithRetry`.
 */
export function sseStream(bytes: AsyncIterable<Uint8Array>, options: SseStreamOptions = {}): SseStream {
  return new EventReader(bytes, options);
}

interface Waiter {
  resolve(result: IteratorResult<SseEvent, undefined>): void;
  reject(reason: unknown): void;
}

const FINISHED: IteratorResult<SseEvent, undefined> = Object.freeze({ done: true, value: undefined });
/** A large chunk is parsed in pieces, so that it does not become a large queue of events. */
const MAX_SLICE_BYTES = 65_536;

class EventReader implements SseStream {
  readonly #source: ReturnType<typeof openByteSource>;
  readonly #decoder: EventDecoder;
  readonly #options: SseStreamOptions;
  readonly #watch: SilenceWatch;
  /** Events that are parsed and not yet asked for. */
  #events: SseEvent[] = [];
  #nextEvent = 0;
  /** What remains of a chunk when its first events were enough. */
  #rest: Uint8Array | undefined;
  readonly #waiters: Waiter[] = [];
  #reading = false;
  /** Set once nothing more is parsed: how the stream ends after the events that are left. */
  #end: { readonly error?: unknown } | undefined;
  /** Last id that was parsed, and last id that was delivered. */
  #parsedId = "";
  #deliveredId = "";

  constructor(bytes: AsyncIterable<Uint8Array>, options: SseStreamOptions) {
    const {
      idleTimeoutMs = 300_000,
      progressTimeoutMs = 0,
      maxEventBytes = 16 * 1024 * 1024,
      maxEventsPerSecond = 100_000,
      signal,
    } = options;
    this.#options = options;
    this.#watch = new SilenceWatch({
      idleTimeoutMs,
      progressTimeoutMs,
      onSilence: (error) => {
        this.#finish({ error }, "release");
        this.#settleWaiters();
      },
    });
    this.#source = openByteSource(bytes);
    this.#decoder = new EventDecoder({
      maxEventBytes,
      maxEventsPerSecond,
      onEvent: (event) => this.#accept(event),
      onId: (id) => {
        if (this.#end === undefined) this.#parsedId = id;
      },
      onComment: options.onComment,
      onRetry: options.onRetry,
    });
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get lastEventId(): string {
    return this.#events.length === 0 ? this.#parsedId : this.#deliveredId;
  }

  [Symbol.asyncIterator](): SseStream {
    return this;
  }

  next(): Promise<IteratorResult<SseEvent, undefined>> {
    const event = this.#waiters.length === 0 ? this.#takeEvent() : undefined;
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#waiters.length === 1) this.#watch.start();
      this.#advance();
    });
  }

  return(): Promise<IteratorResult<SseEvent, undefined>> {
    this.#dropEvents();
    this.#finish({}, "release");
    // Who left does not hear of a failure that nobody had asked for yet.
    this.#end = {};
    this.#settleWaiters();
    return Promise.resolve(FINISHED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Gives waiters what is there, and reads on while there is one left. Never runs twice at a time. */
  #advance(): void {
    this.#settleWaiters();
    while (this.#waiters.length > 0 && this.#end === undefined && this.#rest !== undefined) {
      this.#parse(this.#rest);
      this.#settleWaiters();
    }
    if (this.#waiters.length === 0 || this.#end !== undefined || this.#reading) return;
    this.#reading = true;
    try {
      this.#source.read().then(this.#onChunk, this.#onSourceError);
    } catch (error) {
      // A hand-written iterator may throw instead of rejecting.
      this.#onSourceError(error);
    }
  }

  readonly #onChunk = ({ done, value: chunk }: ReadStep): void => {
    this.#reading = false;
    if (this.#end !== undefined) return;
    if (done || chunk === undefined) this.#finish(this.#endOfBytes(), "ended");
    else {
      this.#watch.heard();
      if (chunk.length > 0) this.#take(chunk);
    }
    this.#advance();
  };

  readonly #onSourceError = (error: unknown): void => {
    this.#reading = false;
    this.#finish({ error }, "ended");
    this.#settleWaiters();
  };

  readonly #onAbort = (): void => {
    const { signal } = this.#options;
    // Who gives up gets no more events either.
    this.#dropEvents();
    this.#finish(signal === undefined ? {} : { error: abortedError(signal) }, "release");
    this.#settleWaiters();
  };

  #take(chunk: Uint8Array): void {
    const { contentType } = this.#options;
    if (contentType === undefined || isEventStream(contentType)) this.#parse(chunk);
    else this.#finish({ error: foreignContentError(contentType, chunk) }, "release");
  }

  #parse(chunk: Uint8Array): void {
    const slice = chunk.subarray(0, MAX_SLICE_BYTES);
    this.#rest = chunk.length > MAX_SLICE_BYTES ? chunk.subarray(MAX_SLICE_BYTES) : undefined;
    try {
      this.#decoder.feed(slice);
    } catch (error) {
      // Too large, or a callback of the caller failed: in both cases nothing after it can be trusted.
      this.#finish({ error }, "release");
    }
  }

  #accept(event: SseEvent): void {
    if (this.#end !== undefined) return;
    this.#events.push(event);
    if (this.#options.isTerminal?.(event)) this.#finish({}, "drain");
  }

  #endOfBytes(): { readonly error?: unknown } {
    const { isTerminal, contentType } = this.#options;
    if (contentType !== undefined && !isEventStream(contentType)) {
      return { error: foreignContentError(contentType, new Uint8Array()) };
    }
    if (isTerminal === undefined) return {};
    const message = "The stream ended before its last event.";
    return { error: new RetrySseError("ERR_RETRY_SSE_ENDED_EARLY", message) };
  }

  /** The first end counts; a later one changes nothing. */
  #finish(end: { readonly error?: unknown }, source: "ended" | "release" | "drain"): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#rest = undefined;
    this.#watch.stop();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    const { endWaitMs = 250, signal } = this.#options;
    if (source === "drain" && endWaitMs > 0) {
      drainSource(this.#source, { waitMs: endWaitMs, signal, release: () => this.#release() });
    } else if (source !== "ended") this.#release();
  }

  #release(): void {
    this.#source.release();
    const { release } = this.#options;
    if (release !== undefined) giveUp(release);
  }

  #settleWaiters(): void {
    while (this.#waiters.length > 0) {
      const event = this.#takeEvent();
      if (event === undefined && this.#end === undefined) return;
      const waiter = this.#waiters.shift();
      if (event !== undefined) {
        waiter?.resolve({ done: false, value: event });
        // Progress was made: the next waiter's clock starts now.
        if (this.#waiters.length > 0) this.#watch.start();
        else this.#watch.pause();
      } else if (this.#end !== undefined && "error" in this.#end) {
        const { error } = this.#end;
        // An error is told once; after it the stream is simply over.
        this.#end = {};
        waiter?.reject(error);
      } else waiter?.resolve(FINISHED);
    }
  }

  #takeEvent(): SseEvent | undefined {
    const event = this.#events[this.#nextEvent];
    if (event === undefined) return undefined;
    this.#nextEvent += 1;
    this.#deliveredId = event.id;
    if (this.#nextEvent === this.#events.length) this.#clearEvents();
    return event;
  }

  #dropEvents(): void {
    if (this.#events.length === 0) return;
    this.#parsedId = this.#deliveredId;
    this.#clearEvents();
  }

  #clearEvents(): void {
    this.#events = [];
    this.#nextEvent = 0;
  }
}
