import { type BackoffOptions, backoffDelayMs } from "./backoff.ts";
import { retryAfterMs } from "./retry-after.ts";
import {
  classifyFault,
  errorCodes,
  errorRetryAtMs,
  errorStatus,
  type RetryClass,
  type RetryFault,
} from "./retry-fault.ts";

/** When to send again, and how long to wait before. Every wait is longer than nothing. */
export interface RetryPolicy extends BackoffOptions {
  /** Retries of one layer; sends are one more. @defaultValue 4 */
  readonly maxRetries?: number | undefined;
  /** Nothing is sent again later than this after the first send. 0: no bound. @defaultValue 300_000 */
  readonly maxElapsedMs?: number | undefined;
  /** Floor for any single wait, also for one the server chose. At least 1. @defaultValue 100 */
  readonly minDelayMs?: number | undefined;
  /** A server that asks for a longer wait is believed and not waited for. @defaultValue 60_000 */
  readonly maxRetryAfterMs?: number | undefined;
  /**
   * What becomes of a response that asks for a longer wait. `"fail"`: it is cancelled and
   * `ERR_RETRY_SSE_RETRY_AFTER` thrown, which has `retryAtMs` and `status`. `"return"`: the caller gets it, to read
   * what its body says. @defaultValue "fail"
   */
  readonly aboveMaxRetryAfter?: "fail" | "return" | undefined;
  /**
   * Methods that may be repeated when the request itself does not say whether it is idempotent.
   * @defaultValue GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110, section 9.2.2)
   */
  readonly methods?: readonly string[] | undefined;
  /** Statuses judged otherwise than by their class: `{ 409: "retry", 503: "stop" }`. @defaultValue none */
  readonly statuses?: Readonly<Record<number, RetryRule>> | undefined;
  /**
   * Error codes judged otherwise than by their class, the error's own or that of its cause:
   * `{ ENOTFOUND: "stop", ERR_HTTP2_STREAM_ERROR: "retry" }`. @defaultValue none
   */
  readonly codes?: Readonly<Record<string, RetryRule>> | undefined;
  /** The last word on whether a fault may be repeated at all. @defaultValue what the class says */
  readonly shouldRetry?: ((fault: RetryFault, retryClass: RetryClass) => boolean) | undefined;
  /** Told before each wait. What it throws ends the retries. */
  readonly onRetry?: ((retry: RetryNotice) => void) | undefined;
}

export type RetryRule = "retry" | "stop";

export interface RetryNotice {
  /** 1 is the first. */
  readonly retry: number;
  readonly delayMs: number;
  readonly class: RetryClass;
  readonly fault: RetryFault;
  /** Since the first send. */
  readonly elapsedMs: number;
}

/** What was true when the fault happened. */
export interface RetryState {
  /** The retry that is being decided; 1 is the first. */
  readonly retry: number;
  /** Since the first send. */
  readonly elapsedMs: number;
  /** Until the deadline of the operation. @defaultValue Infinity */
  readonly remainingMs?: number | undefined;
  /** Permits left in the budget. @defaultValue Infinity */
  readonly permits?: number | undefined;
  /** The wait before the one that is being decided. @defaultValue none yet */
  readonly previousDelayMs?: number | undefined;
  /** Milliseconds since the epoch, for dates a server names. @defaultValue Date.now() */
  readonly nowMs?: number | undefined;
}

export type RetryDecision =
  | { readonly retry: true; readonly delayMs: number; readonly class: RetryClass }
  | {
      readonly retry: false;
      readonly class: RetryClass;
      /** `not-retryable`: the fault; the others: a bound of the policy, the budget or the operation. */
      readonly reason:
        | "not-retryable"
        | "max-retries"
        | "budget"
        | "max-elapsed"
        | "deadline"
        | "retry-after";
      /** When it may work, if the other side said so; milliseconds since the epoch. */
      readonly retryAtMs?: number | undefined;
    };

/** Decides about one fault. Pure but for the policy's own functions. */
export function retryDecision(policy: RetryPolicy, fault: RetryFault, state: RetryState): RetryDecision {
  const { maxRetries = 4, maxElapsedMs = 300_000, maxRetryAfterMs = 60_000 } = policy;
  const {
    remainingMs = Number.POSITIVE_INFINITY,
    permits = Number.POSITIVE_INFINITY,
    nowMs = Date.now(),
  } = state;
  const retryClass = classifyFault(fault);
  const askedMs = askedDelayMs(fault, nowMs);
  const retryAtMs = askedMs === undefined ? undefined : nowMs + askedMs;
  const stop = (reason: Extract<RetryDecision, { retry: false }>["reason"]): RetryDecision => ({
    retry: false,
    class: retryClass,
    reason,
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  });

  if (!isRetryable(policy, fault, retryClass)) return stop("not-retryable");
  if (state.retry > maxRetries) return stop("max-retries");
  if (permits <= 0) return stop("budget");
  if (askedMs !== undefined && askedMs > maxRetryAfterMs) return stop("retry-after");
  const delayMs = chooseDelayMs(policy, state, askedMs);
  if (delayMs >= remainingMs) return stop("deadline");
  if (maxElapsedMs > 0 && state.elapsedMs + delayMs > maxElapsedMs) return stop("max-elapsed");
  return { retry: true, delayMs, class: retryClass };
}

function isRetryable(policy: RetryPolicy, fault: RetryFault, retryClass: RetryClass): boolean {
  // An error that says "never" knows more than any policy.
  if (saysNever(fault)) return false;
  if (policy.shouldRetry !== undefined) return policy.shouldRetry(fault, retryClass);
  const rule = ruleFor(policy, fault);
  if (rule !== undefined) return rule === "retry";
  return retryClass !== "permanent" && retryClass !== "auth";
}

function ruleFor({ statuses, codes }: RetryPolicy, fault: RetryFault): RetryRule | undefined {
  if (fault.kind === "status") return own(statuses, fault.status);
  for (const code of errorCodes(fault.error)) {
    const rule = own(codes, code);
    if (rule !== undefined) return rule;
  }
  const status = errorStatus(fault.error);
  return status === undefined ? undefined : own(statuses, status);
}

/** What a stranger chose the key of may not find what every object inherits. */
function own<K extends string | number>(
  rules: Readonly<Record<K, RetryRule>> | undefined,
  key: K,
): RetryRule | undefined {
  return rules !== undefined && Object.hasOwn(rules, key) ? rules[key] : undefined;
}

function saysNever(fault: RetryFault): boolean {
  if (fault.kind === "status") return false;
  const { error } = fault;
  return typeof error === "object" && error !== null && "retry" in error && error.retry === "never";
}

function askedDelayMs(fault: RetryFault, nowMs: number): number | undefined {
  if (fault.kind === "status") return retryAfterMs(fault.headers, nowMs, { status: fault.status });
  const atMs = errorRetryAtMs(fault.error);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

/**
 * What was asked for is a lower bound, with up to a tenth on top so that a crowd does not return as one. The floor holds
 * whatever a policy computes, also when that is no number.
 */
function chooseDelayMs(policy: RetryPolicy, state: RetryState, askedMs: number | undefined): number {
  const { minDelayMs = 100, jitter, random = Math.random } = policy;
  const floorMs = Math.max(1, minDelayMs || 0);
  if (askedMs !== undefined) {
    return Math.max(floorMs, askedMs) * (jitter === "none" ? 1 : 1 + random() * 0.1);
  }
  return Math.max(floorMs, backoffDelayMs(state.retry, policy, state.previousDelayMs) || 0);
}
