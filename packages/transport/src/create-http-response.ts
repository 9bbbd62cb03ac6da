import { inspect } from "node:util";
import { TransportError } from "./errors.ts";
import type { HeaderList } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { redactUrl } from "./redact-url.ts";

/** Where a response's body comes from. */
export interface BodySource {
  /** The next piece, or done; rejects when the body ends early. */
  next(): Promise<IteratorResult<Uint8Array, undefined>>;
  /** Releases what carries the body. Called at most once, and only before the end was seen. */
  cancel(): void | Promise<void>;
  /** The rest of the body when all of it is already here: saves waiting for each piece. */
  takeRest?(): Uint8Array[] | undefined;
}

export interface HttpResponseInit {
  readonly status: number;
  readonly url: URL;
  /** @defaultValue none */
  readonly headers?: HeaderList | undefined;
  /** @defaultValue an empty body */
  readonly body?: AsyncIterable<Uint8Array> | BodySource | undefined;
}

/**
 * Makes an `HttpResponse` from its parts, for a transport that is not built on undici. The body is read once,
 * names are brought to lower case, and `cancel()` calls the source's `cancel` (or the iterator's `return`) once.
 */
export function createHttpResponse(init: HttpResponseInit): HttpResponse {
  const { status, url, headers = [], body } = init;
  return sourcedResponse(
    status,
    url,
    headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    body === undefined ? emptySource : isBodySource(body) ? body : iterableSource(body),
  );
}

/** The same for callers in this room, whose names are in lower case already. */
export function sourcedResponse(
  status: number,
  url: URL,
  headers: HeaderList,
  source: BodySource,
): HttpResponse {
  return new SourcedResponse(status, url, headers, source);
}

/**
 * Kept in private fields and read through getters, so that an inspected or serialised response shows no header.
 */
class SourcedResponse implements HttpResponse {
  readonly #status: number;
  readonly #url: URL;
  readonly #headers: HeaderList;
  readonly #source: BodySource;
  #state: "unread" | "reading" | "ended" | "cancelled" = "unread";

  constructor(status: number, url: URL, headers: HeaderList, source: BodySource) {
    this.#status = status;
    this.#url = url;
    this.#headers = headers;
    this.#source = source;
  }

  get status(): number {
    return this.#status;
  }

  get url(): URL {
    return this.#url;
  }

  get headers(): HeaderList {
    return this.#headers;
  }

  get body(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  async bytes(): Promise<Uint8Array> {
    return joined(this.#wholeAlready() ?? (await this.#collect()));
  }

  async text(): Promise<string> {
    return utf8.decode(joined(this.#wholeAlready() ?? (await this.#collect())));
  }

  async json(): Promise<unknown> {
    const text = utf8.decode(joined(this.#wholeAlready() ?? (await this.#collect())));
    try {
      return JSON.parse(text);
    } catch {
      // V8's own message quotes the text, and with it whatever secret the body holds.
      throw new TransportError("ERR_TRANSPORT_BAD_JSON", "the response body is not JSON", {
        url: this.#url,
        sent: "yes",
      });
    }
  }

  async cancel(): Promise<void> {
    if (this.#state === "ended" || this.#state === "cancelled") return;
    this.#state = "cancelled";
    await this.#source.cancel();
  }

  [inspect.custom](): string {
    return `HttpResponse { status: ${this.#status}, url: ${redactUrl(this.#url)} }`;
  }

  #claim(): void {
    if (this.#state !== "unread") {
      throw new TransportError("ERR_TRANSPORT_BODY_USED", "the response body was already read or cancelled", {
        url: this.#url,
        sent: "yes",
      });
    }
    this.#state = "reading";
  }

  #iterate(): AsyncIterator<Uint8Array, undefined> {
    this.#claim();
    let left = false;
    return {
      next: async () => (left ? { done: true, value: undefined } : this.#next()),
      return: async () => {
        left = true;
        await this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  /** Claims the body; its pieces when all are here, so that nobody waits for what has arrived. */
  #wholeAlready(): Uint8Array[] | undefined {
    this.#claim();
    const rest = this.#source.takeRest?.();
    if (rest !== undefined) this.#state = "ended";
    return rest;
  }

  async #collect(): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const step = await this.#next();
      if (step.done === true) return pieces;
      pieces.push(step.value);
    }
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#state === "ended") return { done: true, value: undefined };
    // A body that somebody cancelled must not look like one that ended.
    if (this.#state === "cancelled") {
      throw new TransportError("ERR_TRANSPORT_ABORTED", "the response body was cancelled", {
        url: this.#url,
        sent: "yes",
      });
    }
    try {
      const step = await this.#source.next();
      if (step.done === true) this.#state = "ended";
      return step;
    } catch (error) {
      // A source that failed has released everything itself.
      this.#state = "ended";
      throw error;
    }
  }
}

/** Takes a byte order mark off and replaces what is not UTF-8, as fetch does. */
const utf8 = new TextDecoder();

const emptySource: BodySource = {
  next: async () => ({ done: true, value: undefined }),
  cancel: () => {},
  takeRest: () => [],
};

function isBodySource(body: AsyncIterable<Uint8Array> | BodySource): body is BodySource {
  return !(Symbol.asyncIterator in body);
}

function iterableSource(body: AsyncIterable<Uint8Array>): BodySource {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  const open = () => {
    iterator ??= body[Symbol.asyncIterator]();
    return iterator;
  };
  return {
    next: async () => {
      const step = await open().next();
      return step.done === true ? { done: true, value: undefined } : step;
    },
    cancel: async () => {
      await open().return?.();
    },
  };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) {
    return new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
  }
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole;
}
