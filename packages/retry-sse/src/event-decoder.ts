import { createParser, type EventSourceParser } from "eventsource-parser";
import { RetrySseError } from "./errors.ts";

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
  readonly onEvent: (event: SseEvent) => void;
  readonly onId: (id: string) => void;
  readonly onComment?: ((comment: string) => void) | undefined;
  readonly onRetry?: ((delayMs: number) => void) | undefined;
}

/** How long a server may ask a client to wait before it reconnects: one hour. */
const MAX_RECONNECT_DELAY_MS = 3_600_000;
/** The parser counts field names too; what it lets through is measured again when it is complete. */
const FIELD_NAME_ALLOWANCE = 1024;

/**
 * Turns bytes into events, whatever the pieces they come in: UTF-8 and one byte order mark, LF, CR and CRLF split
 * anywhere. An unfinished event at the end is dropped, as the standard says.
 */
export class EventDecoder {
  // The parser takes exactly one byte order mark; were the decoder to take one too, a second would vanish.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #parser: EventSourceParser;
  readonly #maxEventBytes: number;
  #overflow: RetrySseError | undefined;

  constructor(options: EventDecoderOptions) {
    const { maxEventBytes, onEvent, onId, onComment, onRetry } = options;
    this.#maxEventBytes = maxEventBytes;
    let lastId = "";
    this.#parser = createParser({
      maxBufferSize: maxEventBytes + FIELD_NAME_ALLOWANCE,
      onComment,
      onRetry: onRetry && ((delayMs) => onRetry(Math.min(delayMs, MAX_RECONNECT_DELAY_MS))),
      onId: (id) => {
        lastId = id;
        onId(id);
      },
      onEvent: ({ event = "message", data, id = "" }) => {
        if (this.#overflow !== undefined) return;
        if (isLongerThan(maxEventBytes, [event, data, id])) this.#overflow = this.#tooLarge();
        else onEvent({ event, data, id: lastId });
      },
      onError: ({ type }) => {
        // Unknown fields and bad retry values are ignored by the standard.
        if (type === "max-buffer-size-exceeded") this.#overflow ??= this.#tooLarge();
      },
    });
  }

  /** @throws {@link RetrySseError} `ERR_RETRY_SSE_EVENT_TOO_LARGE`, after the events before the one too large. */
  feed(bytes: Uint8Array): void {
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    if (this.#overflow !== undefined) throw this.#overflow;
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
  const characters = parts.reduce((sum, part) => sum + part.length, 0);
  if (characters * 3 <= maxBytes) return false;
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0) > maxBytes;
}
