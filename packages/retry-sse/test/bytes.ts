/** UTF-8 of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Yields the pieces and ends. */
export async function* pieces(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void> {
  for (const text of texts) yield typeof text === "string" ? utf8(text) : text;
}

/** A source the test feeds by hand, and which remembers what was done to it. */
export class HandFedSource implements AsyncIterable<Uint8Array> {
  reads = 0;
  returned = 0;
  readonly #released = Promise.withResolvers<void>();
  #waiting: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => {
        this.reads += 1;
        this.#waiting = Promise.withResolvers();
        return this.#waiting.promise;
      },
      return: async () => {
        this.returned += 1;
        this.#released.resolve();
        return { done: true, value: undefined };
      },
    };
  }

  /** Settles when the source was given up. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  give(text: string): void {
    this.#waiting?.resolve({ done: false, value: utf8(text) });
  }

  end(): void {
    this.#waiting?.resolve({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#waiting?.reject(error);
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
