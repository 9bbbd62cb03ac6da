/** Stops one process at named points, one at a time, and lets a driver lead it on. */
export class Gates {
  readonly name: string;
  #standing: { readonly gate: string; readonly go: (error?: Error) => void } | undefined;
  #arrived = Promise.withResolvers<void>();
  #open = false;
  #dead = false;
  #abandoned = false;
  #stopped: PromiseWithResolvers<void> | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Where the process stands now. */
  get at(): string | undefined {
    return this.#standing?.gate;
  }

  /** Called by the process: resolves when the driver lets it go on, never in a process that was killed. */
  async reach(gate: string): Promise<void> {
    if (this.#open) return;
    if (this.#abandoned) throw new Error("the replay is over");
    if (this.#dead) {
      this.#stopped ??= Promise.withResolvers<void>();
      return this.#stopped.promise;
    }
    if (this.#standing) throw new Error(`${this.name} is at ${this.#standing.gate} and at ${gate} at once`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#standing = { gate, go: (error) => (error ? reject(error) : resolve()) };
    this.#arrived.resolve();
    return promise;
  }

  /** Resolves when the process stands somewhere. */
  async arrival(): Promise<void> {
    if (!this.#standing) await this.#arrived.promise;
  }

  /** Lets the process go on, or makes the point where it stands throw. */
  release(error?: Error): void {
    const standing = this.#standing;
    if (!standing) throw new Error(`${this.name} stands nowhere`);
    this.#standing = undefined;
    this.#arrived = Promise.withResolvers<void>();
    standing.go(error);
  }

  /** The process stops where it is, for as long as the replay lasts. */
  kill(): void {
    this.#dead = true;
    const standing = this.#standing;
    this.#standing = undefined;
    if (!standing) return;
    this.#stopped ??= Promise.withResolvers<void>();
    this.#stopped.promise.catch((error: Error) => standing.go(error));
  }

  /** Every point throws from here on, also where a process was killed. */
  abandon(): void {
    this.#abandoned = true;
    const over = new Error("the replay is over");
    this.#stopped?.reject(over);
    if (this.#standing) this.release(over);
  }

  /** From here on nothing is stopped any more. */
  open(): void {
    this.#open = true;
    if (this.#standing) this.release();
  }
}
