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
  readonly #now: () => number;
  /** The operation this one adds `#value` to: few values, and most operations end before one is asked for twice. */
  readonly #before: Operation | undefined;
  readonly #key: symbol | undefined;
  readonly #value: unknown;

  private constructor(
    label: string,
    deadlineMs: number | undefined,
    now: () => number,
    before?: Operation,
    key?: symbol,
    value?: unknown,
  ) {
    this.label = label;
    this.deadlineMs = deadlineMs;
    this.#now = now;
    this.#before = before;
    this.#key = key;
    this.#value = value;
  }

  static start(options: OperationOptions): Operation {
    const { label, timeoutMs, now = monotonicMs } = options;
    return new Operation(label, timeoutMs === undefined ? undefined : now() + timeoutMs, now);
  }

  /** The value under `key`, or undefined. */
  get<T>(key: OperationKey<T>): T | undefined {
    let link: Operation | undefined = this;
    while (link !== undefined) {
      if (link.#key === key.id) return link.#value as T | undefined;
      link = link.#before;
    }
    return undefined;
  }

  /** The same operation, carrying `value` as well. */
  with<T>(key: OperationKey<T>, value: T): Operation {
    return new Operation(this.label, this.deadlineMs, this.#now, this, key.id, value);
  }

  /** Milliseconds left, never below 0; `Infinity` without a deadline. */
  remainingMs(): number {
    return this.deadlineMs === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(0, this.deadlineMs - this.#now());
  }
}

function monotonicMs(): number {
  return performance.now();
}
