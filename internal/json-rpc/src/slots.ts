/** At most so many tasks at once; the others wait in order. */
export class Slots {
  readonly #max: number;
  #running = 0;
  #queue: (() => void)[] = [];
  #head = 0;
  #watchers: { below: number; resolve: () => void }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** Starts `task` at once where there is a slot, so that tasks begin in the order they came. It must not reject. */
  run(task: () => Promise<void>): Promise<void> {
    if (this.#running < this.#max) return this.#start(task);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push(() => resolve(this.#start(task)));
    return promise;
  }

  /** Resolves when fewer than `below` tasks wait. */
  room(below: number): Promise<void> {
    return this.#when(below);
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    return this.#when(0);
  }

  async #start(task: () => Promise<void>): Promise<void> {
    this.#running += 1;
    try {
      await task();
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }

  #next(): void {
    const start = this.#queue[this.#head];
    if (start !== undefined) {
      this.#head += 1;
      if (this.#head === this.#queue.length) {
        this.#queue = [];
        this.#head = 0;
      }
      start();
    }
    if (this.#watchers.length === 0) return;
    const met = this.#watchers.filter(({ below }) => this.#isMet(below));
    this.#watchers = this.#watchers.filter(({ below }) => !this.#isMet(below));
    for (const { resolve } of met) resolve();
  }

  #isMet(below: number): boolean {
    return below === 0 ? this.#running === 0 && this.waiting === 0 : this.waiting < below;
  }

  #when(below: number): Promise<void> {
    if (this.#isMet(below)) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.push({ below, resolve });
    return promise;
  }
}
