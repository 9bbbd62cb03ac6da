import { giveUp } from "./give-up.ts";

/** What an iterator and a reader both answer; `value` is undefined at the end. */
export interface ReadStep {
  readonly done?: boolean | undefined;
  readonly value?: Uint8Array | undefined;
}

/** One way to read and to give up whatever bytes come in. */
export interface ByteSource {
  read(): Promise<ReadStep>;
  /** Frees what is behind the bytes, also while a read is waiting. Never throws; later reads may never settle. */
  release(): void;
}

/**
 * A web stream is read through a reader and a Node stream is destroyed, because their iterators let a `return()` wait
 * behind a read that is still pending. Any other source gets `return()`, at once.
 */
export function openByteSource(bytes: AsyncIterable<Uint8Array>): ByteSource {
  if (isWebStream(bytes)) return webSource(bytes);
  const iterator = bytes[Symbol.asyncIterator]();
  return {
    read: () => iterator.next(),
    release() {
      if (isDestroyable(bytes)) bytes.destroy();
      giveUp(() => iterator.return?.());
    },
  };
}

function webSource(stream: ReadableStream<Uint8Array>): ByteSource {
  const reader = stream.getReader();
  return {
    read: () => reader.read(),
    release() {
      giveUp(() => reader.cancel());
    },
  };
}

function isWebStream(bytes: object): bytes is ReadableStream<Uint8Array> {
  return "getReader" in bytes && typeof bytes.getReader === "function";
}

function isDestroyable(bytes: object): bytes is { destroy(): void } {
  return "destroy" in bytes && typeof bytes.destroy === "function";
}
