import type { SseEvent } from "./event-decoder.ts";
import { giveUp } from "./give-up.ts";
import type { RetryOperation } from "./retry-budget.ts";
import type { RetryPolicy } from "./retry-decision.ts";
import type { RetryFault } from "./retry-fault.ts";
import { RetryRun } from "./retry-run.ts";
import type { RetryAttempt } from "./run-with-retry.ts";

export interface StreamAttempt<O extends RetryOperation = RetryOperation> extends RetryAttempt<O> {
  /** Fires when the consumer leaves or the caller gives up: send and read with it. */
  readonly signal: AbortSignal;
  /** Id of the last event that was delivered, for `Last-Event-ID`; empty when there was none. */
  readonly lastEventId: string;
}

export type StreamOpener<O extends RetryOperation = RetryOperation> = (
  attempt: StreamAttempt<O>,
) => Promise<AsyncIterable<SseEvent>>;

export interface StreamWithRetryOptions<O extends RetryOperation = RetryOperation> {
  readonly signal?: AbortSignal | undefined;
  /** Its deadline bounds the waits, and its budget the retries. @defaultValue none */
  readonly operation?: O | undefined;
  /**
   * What happens when a stream fails after it has delivered an event. `"stop"` throws. `"resume"` opens another when
   * there is a last event id to resume from. `"replay"` opens another in any case: the caller says that getting events
   * twice does no harm. @defaultValue "stop"
   */
  readonly afterFirstEvent?: "stop" | "resume" | "replay" | undefined;
}

/**
 * The events of a stream that is opened again, by policy, when it fails before it has delivered anything. `open` sends
 * the request and returns its events; what it throws is a fault like any other. `return()` frees the open stream at
 * once.
 */
export function streamWithRetry<O extends RetryOperation = RetryOperation>(
  policy: RetryPolicy,
  open: StreamOpener<O>,
  options: StreamWithRetryOptions<O> = {},
): AsyncIterableIterator<SseEvent, undefined, undefined> {
  return new RetriedStream(policy, open, options);
}

class RetriedStream<O extends RetryOperation>
  implements AsyncIterableIterator<SseEvent, undefined, undefined>
{
  readonly #left = new AbortController();
  readonly #events: AsyncGenerator<SseEvent, undefined, undefined>;
  /** The stream that is open now, to be freed also while it is being read. */
  #current: AsyncIterator<SseEvent> | undefined;

  constructor(policy: RetryPolicy, open: StreamOpener<O>, options: StreamWithRetryOptions<O>) {
    this.#events = this.#deliver(policy, open, options);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<SseEvent, undefined>> {
    try {
      const result = await this.#events.next();
      if (!this.#left.signal.aborted) return result;
    } catch (error) {
      // What fails after the consumer has left concerns nobody.
      if (!this.#left.signal.aborted) throw error;
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<SseEvent, undefined>> {
    this.#left.abort();
    this.#free();
    giveUp(() => this.#events.return(undefined));
    return { done: true, value: undefined };
  }

  async *#deliver(
    policy: RetryPolicy,
    open: StreamOpener<O>,
    options: StreamWithRetryOptions<O>,
  ): AsyncGenerator<SseEvent, undefined, undefined> {
    const { operation, afterFirstEvent = "stop" } = options;
    const left = this.#left.signal;
    const signal = options.signal === undefined ? left : AbortSignal.any([left, options.signal]);
    const run = new RetryRun(policy, { signal, operation });
    let delivered = false;
    let lastEventId = "";
    for (;;) {
      let worked = false;
      try {
        const { attempt, operation } = run;
        const iterator = this.#enter(await open({ attempt, operation, signal, lastEventId }));
        for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
          delivered = worked = true;
          if (step.value.id !== "") lastEventId = step.value.id;
          yield step.value;
        }
        return undefined;
      } catch (error) {
        const safe = !delivered || afterFirstEvent === "replay";
        const resumable = afterFirstEvent === "resume" && lastEventId !== "";
        const fault: RetryFault = { kind: "error", error };
        if (worked) run.hadWorked();
        const decision = safe || resumable ? run.decide(fault) : undefined;
        if (!decision?.retry) throw error;
        this.#free();
        await run.wait(decision, fault);
      } finally {
        this.#free();
      }
    }
  }

  #enter(events: AsyncIterable<SseEvent>): AsyncIterator<SseEvent> {
    const iterator = events[Symbol.asyncIterator]();
    this.#current = iterator;
    // Opened too late: the consumer has left meanwhile.
    if (this.#left.signal.aborted) this.#free();
    return iterator;
  }

  #free(): void {
    const iterator = this.#current;
    this.#current = undefined;
    if (iterator !== undefined) giveUp(() => iterator.return?.());
  }
}
