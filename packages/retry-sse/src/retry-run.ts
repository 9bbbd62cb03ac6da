import { budgetKey, RetryBudget, type RetryOperation } from "./retry-budget.ts";
import { type RetryDecision, type RetryPolicy, retryDecision } from "./retry-decision.ts";
import type { RetryFault } from "./retry-fault.ts";
import { waitMs } from "./wait.ts";

export interface RetryRunOptions<O extends RetryOperation> {
  readonly signal?: AbortSignal | undefined;
  readonly operation?: O | undefined;
  /** Monotonic clock in milliseconds. @defaultValue performance.now */
  readonly now?: (() => number) | undefined;
}

/** The attempts of one thing: counts them, and shares the operation's budget with the layers around and below. */
export class RetryRun<O extends RetryOperation> {
  /** Carries the budget, for everything sent in an attempt. */
  readonly operation: O | undefined;
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #now: () => number;
  #budget: RetryBudget;
  #startedMs: number;
  #attemptStartedMs: number;
  #attempt = 1;
  #previousDelayMs: number | undefined;

  constructor(policy: RetryPolicy, { signal, operation, now = () => performance.now() }: RetryRunOptions<O>) {
    const shared = operation?.get(budgetKey);
    this.#policy = policy;
    this.#signal = signal;
    this.#now = now;
    this.#startedMs = this.#attemptStartedMs = now();
    this.#budget = shared ?? budgetFor(policy);
    this.operation = shared === undefined ? carry(operation, this.#budget) : operation;
  }

  /** 1 is the first. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Decides about a fault of the current attempt; a permit is taken when the answer is yes. */
  decide(fault: RetryFault): RetryDecision {
    const decision = retryDecision(this.#policy, fault, {
      retry: this.#attempt,
      elapsedMs: this.#now() - this.#startedMs,
      remainingMs: this.operation?.remainingMs(),
      permits: this.#budget.remaining,
      previousDelayMs: this.#previousDelayMs,
    });
    if (!decision.retry) return decision;
    if (this.#signal?.aborted) return { retry: false, class: decision.class, reason: "not-retryable" };
    this.#budget.take();
    return decision;
  }

  /**
   * Waits as decided; the next attempt begins.
   *
   * @throws {@link RetrySseError} `ERR_RETRY_SSE_ABORTED` when the caller gives up meanwhile.
   */
  async wait(decision: Extract<RetryDecision, { retry: true }>, fault: RetryFault): Promise<void> {
    const { delayMs } = decision;
    const elapsedMs = this.#now() - this.#startedMs;
    this.#policy.onRetry?.({ retry: this.#attempt, delayMs, class: decision.class, fault, elapsedMs });
    await waitMs(delayMs, this.#signal);
    this.#previousDelayMs = delayMs;
    this.#attemptStartedMs = this.#now();
    this.#attempt += 1;
  }

  /**
   * The current attempt did what it is for before it failed. If it lasted longer than the longest wait, its fault is
   * the first of a new row; one that fails sooner goes on counting, or it would be repeated without end. The budget of
   * an operation is not filled up again.
   */
  hadWorked(): void {
    const { maxDelayMs = 30_000 } = this.#policy;
    if (this.#now() - this.#attemptStartedMs <= maxDelayMs) return;
    this.#startedMs = this.#now();
    this.#attempt = 1;
    this.#previousDelayMs = undefined;
    if (this.operation === undefined) this.#budget = budgetFor(this.#policy);
  }
}

/** A policy that asks for more than the default gets it, unless somebody has set a bound for the operation. */
function budgetFor({ maxRetries = 0 }: RetryPolicy): RetryBudget {
  return new RetryBudget({ maxRetries: Math.max(5, maxRetries) });
}

function carry<O extends RetryOperation>(operation: O | undefined, budget: RetryBudget): O | undefined {
  // `with` returns the same kind of operation; the interface cannot say so.
  return operation?.with(budgetKey, budget) as O | undefined;
}
