import { type RetrySseError, retryAfterError } from "./errors.ts";
import type { RetryOperation } from "./retry-budget.ts";
import type { RetryDecision, RetryPolicy } from "./retry-decision.ts";
import type { RetryFault } from "./retry-fault.ts";
import { RetryRun } from "./retry-run.ts";

/** What one attempt may need. */
export interface RetryAttempt<O extends RetryOperation = RetryOperation> {
  /** 1 is the first. */
  readonly attempt: number;
  /** The operation, carrying the budget: send with it, so that layers below share it. */
  readonly operation: O | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface RunWithRetryOptions<T, O extends RetryOperation = RetryOperation> {
  /** Ends a wait between two attempts; passed on to each attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Its deadline bounds the waits, and its budget the retries. @defaultValue none */
  readonly operation?: O | undefined;
  /** Judges a result: a fault, or undefined when it is good. @defaultValue every result is good */
  readonly faultOf?: ((result: T) => RetryFault | undefined) | undefined;
  /** Frees a result that is not returned, before the wait. */
  readonly discard?: ((result: T) => unknown) | undefined;
  /** Monotonic clock in milliseconds. @defaultValue performance.now */
  readonly now?: (() => number) | undefined;
}

/**
 * Attempts until one works or the policy says to stop; then the last result is returned, or the last error thrown, as
 * it is. Whether repeating is safe is the caller's to know.
 *
 * @throws {@link RetrySseError} `ERR_RETRY_SSE_ABORTED` when the signal fires during a wait;
 * `ERR_RETRY_SSE_RETRY_AFTER` when a result asks for a longer wait than the policy allows.
 */
export async function runWithRetry<T, O extends RetryOperation = RetryOperation>(
  policy: RetryPolicy,
  attempt: (attempt: RetryAttempt<O>) => Promise<T>,
  options: RunWithRetryOptions<T, O> = {},
): Promise<T> {
  const { signal, operation, faultOf, discard, now } = options;
  const run = new RetryRun(policy, { signal, operation, now });
  for (;;) {
    const outcome = await observe(
      () => attempt({ attempt: run.attempt, operation: run.operation, signal }),
      faultOf,
    );
    if (outcome.fault === undefined) return conclude(outcome);
    const decision = run.decide(outcome.fault);
    const tooLong = tooLongWait(policy, decision, outcome.fault);
    if (!decision.retry && tooLong === undefined) return conclude(outcome);
    if ("result" in outcome) await free(discard, outcome.result);
    if (!decision.retry) throw tooLong;
    await run.wait(decision, outcome.fault);
  }
}

async function free<T>(discard: ((result: T) => unknown) | undefined, result: T): Promise<void> {
  try {
    await discard?.(result);
  } catch {
    // Nobody wants this result any more, and how its end went says nothing about the next attempt.
  }
}

/** A result that asks for too long a wait is a failure by itself; an error already says when it may work. */
function tooLongWait(
  { aboveMaxRetryAfter = "fail" }: RetryPolicy,
  decision: RetryDecision,
  fault: RetryFault,
): RetrySseError | undefined {
  if (decision.retry || decision.reason !== "retry-after" || decision.retryAtMs === undefined)
    return undefined;
  if (fault.kind === "error" || aboveMaxRetryAfter === "return") return undefined;
  return retryAfterError(fault.status, decision.retryAtMs);
}

type Outcome<T> =
  | { readonly fault: RetryFault | undefined; readonly result: T }
  | { readonly fault: RetryFault; readonly error: unknown };

async function observe<T>(
  attempt: () => Promise<T>,
  faultOf: ((result: T) => RetryFault | undefined) | undefined,
): Promise<Outcome<T>> {
  let result: T;
  try {
    result = await attempt();
  } catch (error) {
    return { fault: { kind: "error", error }, error };
  }
  return { fault: faultOf?.(result), result };
}

function conclude<T>(outcome: Outcome<T>): T {
  if ("error" in outcome) throw outcome.error;
  return outcome.result;
}
