/**
 * Names a value that an operation can carry. The `id` is what counts, so that two installed copies of a room
 * still meet: make it with `Symbol.for("<package>/<what>")`.
 */
export interface OperationKey<T> {
  readonly id: symbol;
  /** Never set; holds the type of the value. */
  readonly type?: T | undefined;
}

export interface OperationOptions {
  /** What the caller is doing, for error texts: `"tools/call"`. */
  readonly label: string;
  /** Milliseconds from now until nothing more may be sent. @defaultValue none */
  readonly timeoutMs?: number | undefined;
  /** Monotonic clock in milliseconds. @defaultValue performance.now */
  readonly now?: (() => number) | undefined;
}

/**
 * What belongs to one public operation and must reach every request made for it: a label, a deadline on the
 * monotonic clock, and whatever a room puts in it under its own key. Immutable: `with` returns another one.
 */
export class Operation {
  readonly label: string;
  /** Monotonic milliseconds (`performance.now()`), or undefined when the operation has no deadline. */
  readonly deadlineMs: number | undefined;
  readonly #values: ReadonlyMap<symbol, unknown>;
  readonly #now: () => number;

  private constructor(
    label: string,
    deadlineMs: number | undefined,
    now: () => number,
    values: ReadonlyMap<symbol, unknown>,
  ) {
    this.label = label;
    this.deadlineMs = deadlineMs;
    this.#now = now;
    this.#values = values;
  }

  static start(options: OperationOptions): Operation {
    const { label, timeoutMs, now = () => performance.now() } = options;
    return new Operation(label, timeoutMs === undefined ? undefined : now() + timeoutMs, now, new Map());
  }

  /** The value under `key`, or undefined. */
  get<T>(key: OperationKey<T>): T | undefined {
    return this.#values.get(key.id) as T | undefined;
  }

  /** The same operation, carrying `value` as well. */
  with<T>(key: OperationKey<T>, value: T): Operation {
    return new Operation(this.label, this.deadlineMs, this.#now, new Map(this.#values).set(key.id, value));
  }

  /** Milliseconds left, never below 0; `Infinity` without a deadline. */
  remainingMs(): number {
    return this.deadlineMs === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(0, this.deadlineMs - this.#now());
  }
}
