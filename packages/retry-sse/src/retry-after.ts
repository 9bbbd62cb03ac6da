import { decimal, firstValue, type HeaderPairs } from "./header-pairs.ts";
import { rateLimitResetMs } from "./rate-limit-reset.ts";

export interface RetryAfterOptions {
  /**
   * Status of the response. A 429 says by itself that a limit was reached; with any other status a rate limit counts
   * only when its header says that nothing remains. @defaultValue unknown
   */
  readonly status?: number | undefined;
}

/** Whoever asks for more is taken to mean a year: beyond it dates cannot be computed with. */
const MAX_WAIT_MS = 365 * 24 * 60 * 60 * 1000;

/**
 * How long a response asks its client to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date
 * (RFC 9110, section 10.2.3), else until a rate limit that was reached is reset (`ratelimit`, `ratelimit-reset`,
 * `x-ratelimit-reset`). A date in the past is 0, and nothing is longer than a year. Undefined when there is none, or
 * none that can be read.
 *
 * @param nowMs milliseconds since the epoch, for dates in a response that does not say by `date` what time it is where
 * it comes from. Default `Date.now()`.
 */
export function retryAfterMs(
  headers: HeaderPairs,
  nowMs: number = Date.now(),
  options: RetryAfterOptions = {},
): number | undefined {
  // Both dates of one response come from one clock; ours may be minutes away from it.
  const sentMs = httpDateMs(firstValue(headers, "date") ?? "") ?? nowMs;
  const waitMs = askedWaitMs(headers, sentMs) ?? rateLimitResetMs(headers, sentMs, options);
  return waitMs === undefined ? undefined : Math.min(Math.max(0, waitMs), MAX_WAIT_MS);
}

/** What `x-should-retry` says; undefined when it says nothing. */
export function shouldRetryHint(headers: HeaderPairs): boolean | undefined {
  const value = firstValue(headers, "x-should-retry");
  if (value === "true") return true;
  return value === "false" ? false : undefined;
}

function askedWaitMs(headers: HeaderPairs, nowMs: number): number | undefined {
  const milliseconds = decimal(firstValue(headers, "retry-after-ms"));
  if (milliseconds !== undefined) return milliseconds;
  const value = firstValue(headers, "retry-after");
  const seconds = decimal(value);
  if (seconds !== undefined) return seconds * 1000;
  const dateMs = value === undefined ? undefined : httpDateMs(value);
  return dateMs === undefined ? undefined : dateMs - nowMs;
}

/** The three forms of RFC 9110, section 5.6.7. The engine's own parser takes far more, so the form is tested first. */
function httpDateMs(value: string): number | undefined {
  const fixed = /^[a-z]{3}, \d{2} [a-z]{3} \d{4} \d{2}:\d{2}:\d{2} gmt$/;
  const rfc850 = /^[a-z]{6,9}, \d{2}-[a-z]{3}-\d{2} \d{2}:\d{2}:\d{2} gmt$/;
  const asctime = /^[a-z]{3} [a-z]{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
  const known = fixed.test(value) || rfc850.test(value);
  const text = known ? value : asctime.test(value) ? `${value} gmt` : undefined;
  const dateMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : dateMs;
}
