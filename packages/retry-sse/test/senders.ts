import type {
  HeaderPairs,
  RetryableRequest,
  RetryableResponse,
  RetryOperation,
  Sender,
} from "../src/retry.ts";

/** An operation as small as one can be. */
export class SmallOperation implements RetryOperation {
  readonly #values: ReadonlyMap<symbol, unknown>;
  readonly #remainingMs: () => number;

  constructor(
    remainingMs: () => number = () => Number.POSITIVE_INFINITY,
    values: ReadonlyMap<symbol, unknown> = new Map(),
  ) {
    this.#remainingMs = remainingMs;
    this.#values = values;
  }

  get<T>(key: { readonly id: symbol; readonly type?: T | undefined }): T | undefined {
    return this.#values.get(key.id) as T | undefined;
  }

  with<T>(key: { readonly id: symbol; readonly type?: T | undefined }, value: T): SmallOperation {
    return new SmallOperation(this.#remainingMs, new Map(this.#values).set(key.id, value));
  }

  remainingMs(): number {
    return this.#remainingMs();
  }
}

export interface ScriptedSender extends Sender<RetryableRequest, RetryableResponse> {
  readonly seen: RetryableRequest[];
  readonly atMs: number[];
  /** Number of responses given up. */
  cancelled: number;
}

/** Answers send number n with the n-th entry and from then on with the last; an error is thrown. */
export function scriptedSender(
  ...script: readonly (number | Error | { status: number; headers: HeaderPairs })[]
): ScriptedSender {
  const sender: ScriptedSender = {
    seen: [],
    atMs: [],
    cancelled: 0,
    async send(request) {
      const step = script[Math.min(sender.seen.length, script.length - 1)] ?? 200;
      sender.seen.push(request);
      sender.atMs.push(performance.now());
      if (step instanceof Error) throw step;
      const { status, headers } = typeof step === "number" ? { status: step, headers: [] } : step;
      return {
        status,
        headers,
        cancel: async () => {
          sender.cancelled += 1;
        },
      };
    },
  };
  return sender;
}
