import { createParser, type EventSourceParser } from "eventsource-parser";
import { RetrySseError } from "./errors.ts";
import { EventRate } from "./event-rate.ts";

/** One event of a stream, as the HTML standard dispatches it. */
export interface SseEvent {
  /** `"message"` unless the stream names another. */
  readonly event: string;
  readonly data: string;
  /** The last event ID at this point of the stream; empty when there was none. */
  readonly id: string;
}

export interface EventDecoderOptions {
  readonly maxEventBytes: number;
  /** 0: none. */
  readonly maxEventsPerSecond: number;
  readonly onEvent: (event: SseEvent) => void;
  readonly onId: (id: string) => void;
  readonly onComment?: ((comment: string) => void) | undefined;
  readonly onRetry?: ((delayMs: number) => void) | undefined;
}

/** How long a server may ask a client to wait before it reconnects: one hour. */
const MAX_RECONNECT_DELAY_MS = 3_600_000;
/** The parser counts field names too; what it lets through is measured again when it is complete. */
const FIELD_NAME_ALLOWANCE = 1024;
/** What a line, or a piece of one, costs in memory beside its text while its event is not complete. */
const BYTES_PER_PART = 32;
const PARTS_ALLOWANCE_BYTES = 1024 * 1024;

/**
 * Turns bytes into events, whatever the pieces they come in: UTF-8 and one byte order mark, LF, CR and CRLF split
 * anywhere. An unfinished event at the end is dropped, as the standard says.
 */
export class EventDecoder {
  // The parser takes exactly one byte order mark; were the decoder to take one too, a second would vanish.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #parser: EventSourceParser;
  readonly #maxEventBytes: number;
  readonly #rate: EventRate;
  /** The first bound that was exceeded: nothing after it counts. */
  #failure: RetrySseError | undefined;
  /** Lines and pieces that were kept since an event was last complete. */
  #keptParts = 0;
  #hasDispatched = false;
  #lastCharacter = "";

  constructor(options: EventDecoderOptions) {
    const { maxEventBytes, maxEventsPerSecond, onEvent, onId, onComment, onRetry } = options;
    this.#maxEventBytes = maxEventBytes;
    this.#rate = new EventRate(maxEventsPerSecond);
    let lastId = "";
    this.#parser = createParser({
      maxBufferSize: maxEventBytes + FIELD_NAME_ALLOWANCE,
      onComment:
        onComment &&
        ((comment) => {
          if (this.#admits(comment)) onComment(comment);
        }),
      onRetry:
        onRetry &&
        ((delayMs) => {
          if (this.#admits()) onRetry(Math.min(delayMs, MAX_RECONNECT_DELAY_MS));
        }),
      onId: (id) => {
        this.#hasDispatched = true;
        if (!this.#admits(id)) return;
        lastId = id;
        onId(id);
      },
      onEvent: ({ event = "message", data, id = "" }) => {
        this.#hasDispatched = true;
        if (this.#admits(event, data, id)) onEvent({ event, data, id: lastId });
      },
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") this.#failure ??= this.#tooLarge();
        // Unknown fields and bad retry values are ignored by the standard. Each costs as much as an event.
        else this.#admits();
      },
    });
  }

  /**
   * @throws {@link RetrySseError} `ERR_RETRY_SSE_EVENT_TOO_LARGE` or `ERR_RETRY_SSE_TOO_MANY_EVENTS`, after the events
   * before the one too large or too many.
   */
  feed(bytes: Uint8Array): void {
    this.#rate.refill();
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#hasDispatched = false;
    this.#parser.feed(text);
    if (this.#hasDispatched) this.#keptParts = 0;
    else this.#countParts(text);
    this.#lastCharacter = text.at(-1) ?? this.#lastCharacter;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The parser counts characters; an event of many empty lines, or in tiny pieces, costs far more than those. */
  #countParts(text: string): void {
    const lines = (this.#lastCharacter + text).split(/\r\n|\n|\r/);
    // Between two line ends there is an empty line, with which the event is over even if it had no data.
    const isOver = lines.slice(1, -1).includes("");
    this.#keptParts = isOver ? 0 : this.#keptParts + Math.max(1, lines.length - 1);
    const maxBytes = 3 * this.#maxEventBytes + PARTS_ALLOWANCE_BYTES;
    if (this.#keptParts * BYTES_PER_PART > maxBytes) this.#failure ??= this.#tooLarge();
  }

  /** Whether one more thing of these parts may be told. */
  #admits(...parts: readonly string[]): boolean {
    if (this.#failure !== undefined) return false;
    if (isLongerThan(this.#maxEventBytes, parts)) this.#failure = this.#tooLarge();
    else if (!this.#rate.take()) this.#failure = this.#rate.error();
    return this.#failure === undefined;
  }

  #tooLarge(): RetrySseError {
    return new RetrySseError(
      "ERR_RETRY_SSE_EVENT_TOO_LARGE",
      `An event is larger than ${this.#maxEventBytes} bytes.`,
    );
  }
}

/** Counts UTF-8 bytes only when the number of characters leaves it open. */
function isLongerThan(maxBytes: number, parts: readonly string[]): boolean {
  let characters = 0;
  for (const part of parts) characters += part.length;
  if (characters * 3 <= maxBytes) return false;
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0) > maxBytes;
}
