/**
 * A request body that is sent while it is produced. `stop` ends the wait for the next piece at once and releases
 * the source, also when the source itself never answers.
 */
export class RequestBodyStream implements AsyncIterable<Uint8Array> {
  /** What the source threw, when it did. */
  sourceFault: { readonly error: unknown } | undefined;
  /** What was handed on so far. */
  sentBytes = 0;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #stopped: Promise<never>;
  #stop: ((reason: Error) => void) | undefined;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #finished = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
    const { promise, reject } = Promise.withResolvers<never>();
    this.#stopped = promise;
    this.#stop = reject;
    // Nobody may be waiting when it is stopped.
    promise.catch(() => {});
  }

  stop(reason: Error): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#stop?.(reason);
    this.#release();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.stop(new Error("the request body is no longer wanted"));
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#finished) return { done: true, value: undefined };
    const step = await Promise.race([this.#pull(), this.#stopped]);
    if (step.done === true) {
      this.#finished = true;
      return { done: true, value: undefined };
    }
    this.sentBytes += step.value.byteLength;
    return step;
  }

  async #pull(): Promise<IteratorResult<Uint8Array>> {
    try {
      this.#iterator ??= this.#source[Symbol.asyncIterator]();
      return await this.#iterator.next();
    } catch (error) {
      this.sourceFault = { error };
      this.#finished = true;
      throw error;
    }
  }

  /** A source may never settle its `return`; nobody waits for it, and what it throws comes too late to matter. */
  #release(): void {
    try {
      this.#iterator ??= this.#source[Symbol.asyncIterator]();
      this.#iterator.return?.()?.then(undefined, () => {});
    } catch {
      // Released as far as it can be.
    }
  }
}
