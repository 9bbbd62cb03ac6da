export interface RetryBudgetOptions {
  /** Retries that all layers of one operation may make together. @defaultValue 5 */
  readonly maxRetries?: number | undefined;
}

/** What an operation must be able to do to carry a budget; that of `@hawser/transport` can. */
export interface RetryOperation {
  get<T>(key: BudgetKey<T>): T | undefined;
  with<T>(key: BudgetKey<T>, value: T): RetryOperation;
  /** Milliseconds until nothing more may be sent; `Infinity` without a deadline. */
  remainingMs(): number;
}

export interface BudgetKey<T> {
  readonly id: symbol;
  readonly type?: T | undefined;
}

/** Where an operation carries its budget. */
export const budgetKey: BudgetKey<RetryBudget> = { id: Symbol.for("@hawser/retry-sse/budget") };

/**
 * Permits to send again, shared by every layer that works for one operation, so that nested retries add up instead
 * of multiplying. Carried by the operation under `budgetKey`; the outermost layer that finds none puts one in.
 */
export class RetryBudget {
  #remaining: number;

  constructor(options: RetryBudgetOptions = {}) {
    const { maxRetries = 5 } = options;
    this.#remaining = maxRetries;
  }

  get remaining(): number {
    return this.#remaining;
  }

  /** Takes one permit; false when there is none. */
  take(): boolean {
    if (this.#remaining <= 0) return false;
    this.#remaining -= 1;
    return true;
  }
}
