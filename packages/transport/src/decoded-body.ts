import { pipeline, Readable, type Transform } from "node:stream";
import { type ContentCoding, decoder } from "./content-codings.ts";
import type { BodySource } from "./create-http-response.ts";
import { isTransportError, TransportError } from "./errors.ts";
import { ZstdFrames } from "./zstd-frames.ts";

export interface DecompressOptions {
  /**
   * How many bytes may come out of one that arrived, looked at once 1 MiB has come out; 0 means no bound. More is
   * `ERR_TRANSPORT_BODY_TOO_LARGE`.
   *
   * @defaultValue 200
   */
  readonly maxRatio?: number | undefined;
}

export interface DecodedBodyOptions {
  /** The last applied first; at most two. */
  readonly codings: readonly ContentCoding[];
  readonly maxRatio: number;
  /** Decoded; 0 means no bound. */
  readonly maxBytes: number;
  /** For errors. */
  readonly url: URL;
}

/**
 * A body with its codings undone while it is read. The bytes that come out are what is counted, so that a small body
 * cannot become a large one unnoticed; no more is decoded than the reader takes.
 */
export function decodedBody(source: BodySource, options: DecodedBodyOptions): BodySource {
  let wireBytes = 0;
  const counted: BodySource = {
    next: async () => {
      const step = await source.next();
      wireBytes += step.value?.byteLength ?? 0;
      return step;
    },
    cancel: () => source.cancel(),
  };
  return options.codings.reduce<BodySource>(
    (below, coding, index) =>
      new DecodedStage(below, coding, () => wireBytes, {
        ...options,
        maxBytes: index === options.codings.length - 1 ? options.maxBytes : 0,
      }),
    counted,
  );
}

/** Below this much a high ratio does no harm: short texts compress well. */
const RATIO_FREE_BYTES = 1024 * 1024;

/** Undoes one coding. */
class DecodedStage implements BodySource {
  readonly #source: BodySource;
  readonly #coding: ContentCoding;
  readonly #wireBytes: () => number;
  readonly #options: DecodedBodyOptions;
  #decoder: (Transform & { readonly bytesWritten?: number }) | undefined;
  #pieces: AsyncIterator<Uint8Array> | undefined;
  readonly #frames: ZstdFrames | undefined;
  #encodedBytes = 0;
  #decodedBytes = 0;

  constructor(
    source: BodySource,
    coding: ContentCoding,
    wireBytes: () => number,
    options: DecodedBodyOptions,
  ) {
    this.#source = source;
    this.#coding = coding;
    this.#wireBytes = wireBytes;
    this.#options = options;
    this.#frames = coding === "zstd" ? new ZstdFrames() : undefined;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    let step: IteratorResult<Uint8Array, undefined>;
    try {
      step = await this.#decoded();
    } catch (fault) {
      if (isTransportError(fault)) throw fault;
      await this.#source.cancel();
      // What zlib says has no byte of the body in it.
      throw this.#failed("ERR_TRANSPORT_DECODING", `the response body is not ${this.#coding}`, fault);
    }
    this.#decodedBytes += step.value?.byteLength ?? 0;
    const refusal = this.#refusal();
    if (refusal === undefined) return step;
    await this.cancel();
    throw refusal;
  }

  async cancel(): Promise<void> {
    // The source first: a decoder that waits for its next piece would not end.
    await this.#source.cancel();
    this.#decoder?.destroy();
  }

  async #decoded(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#pieces === undefined) {
      const first = await this.#source.next();
      // Nothing at all is an empty body in every coding.
      if (first.done === true) return first;
      this.#decoder = decoder(this.#coding);
      // Whatever goes wrong before the decoder destroys the decoder with it.
      pipeline(Readable.from(this.#encoded(first.value), { objectMode: false }), this.#decoder, () => {});
      this.#pieces = this.#decoder[Symbol.asyncIterator]();
    }
    const step = await this.#pieces.next();
    if (step.done !== true) return step;
    // zlib stops at the end of the first stream; what is left must not be lost without a word.
    if ((this.#decoder?.bytesWritten ?? 0) < this.#encodedBytes) throw new Error("bytes after the end");
    if (this.#frames?.isWhole === false) throw new Error("unexpected end");
    return { done: true, value: undefined };
  }

  async *#encoded(first: Uint8Array): AsyncGenerator<Uint8Array> {
    let step: IteratorResult<Uint8Array> = { value: first };
    while (step.done !== true) {
      this.#encodedBytes += step.value.byteLength;
      this.#frames?.feed(step.value);
      yield step.value;
      step = await this.#source.next();
    }
  }

  #refusal(): TransportError | undefined {
    const { maxBytes, maxRatio } = this.#options;
    if (maxBytes > 0 && this.#decodedBytes > maxBytes) {
      return this.#failed(
        "ERR_TRANSPORT_BODY_TOO_LARGE",
        `the response body is larger than ${maxBytes} bytes`,
      );
    }
    if (maxRatio === 0 || this.#decodedBytes <= RATIO_FREE_BYTES) return undefined;
    if (this.#decodedBytes <= this.#wireBytes() * maxRatio) return undefined;
    return this.#failed(
      "ERR_TRANSPORT_BODY_TOO_LARGE",
      `the response body grows more than ${maxRatio} times when it is decompressed`,
    );
  }

  #failed(code: TransportError["code"], message: string, cause?: unknown): TransportError {
    return new TransportError(code, message, { url: this.#options.url, sent: "yes", cause });
  }
}
