/** Messages between a socket that pushes and a reader that pulls. Tells the socket when to stop and to go on. */
export class MessageQueue implements AsyncIterable<string> {
  readonly #maxBytes: number;
  readonly #onFull: () => void;
  readonly #onRoom: () => void;
  #items: string[] = [];
  #head = 0;
  #bytes = 0;
  #full = false;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(options: { maxBytes: number; onFull: () => void; onRoom: () => void }) {
    this.#maxBytes = options.maxBytes;
    this.#onFull = options.onFull;
    this.#onRoom = options.onRoom;
  }

  push(text: string): void {
    if (this.#ended) return;
    this.#items.push(text);
    this.#bytes += text.length;
    if (!this.#full && this.#bytes > this.#maxBytes) {
      this.#full = true;
      this.#onFull();
    }
    this.#wake?.();
  }

  /** No more will come; what is queued is still read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    try {
      for (;;) {
        const text = this.#take();
        if (text !== undefined) yield text;
        else if (this.#ended) return;
        else await this.#next();
      }
    } finally {
      // Nobody reads any more: drop what is left and let the socket see its close.
      this.#ended = true;
      this.#items = [];
      this.#head = 0;
      if (this.#full) this.#onRoom();
    }
  }

  #take(): string | undefined {
    const text = this.#items[this.#head];
    if (text === undefined) return undefined;
    this.#items[this.#head] = "";
    this.#head += 1;
    this.#bytes -= text.length;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    if (this.#full && this.#bytes <= this.#maxBytes / 2) {
      this.#full = false;
      this.#onRoom();
    }
    return text;
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = () => {
      this.#wake = undefined;
      resolve();
    };
    return promise;
  }
}
