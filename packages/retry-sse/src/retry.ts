export { type BackoffOptions, backoffDelayMs } from "./backoff.ts";
export {
  isRetrySseError,
  RetrySseError,
  type RetrySseErrorCode,
  type RetrySseErrorOptions,
} from "./errors.ts";
export type { HeaderPairs } from "./header-pairs.ts";
export { type RetryAfterOptions, retryAfterMs } from "./retry-after.ts";
export {
  type BudgetKey,
  budgetKey,
  RetryBudget,
  type RetryBudgetOptions,
  type RetryOperation,
} from "./retry-budget.ts";
export {
  type RetryDecision,
  type RetryNotice,
  type RetryPolicy,
  type RetryRule,
  type RetryState,
  retryDecision,
} from "./retry-decision.ts";
export type { RetryClass, RetryFault } from "./retry-fault.ts";
export { type RetryAttempt, type RunWithRetryOptions, runWithRetry } from "./run-with-retry.ts";
export { type RetryableRequest, type RetryableResponse, type Sender, withRetry } from "./with-retry.ts";
