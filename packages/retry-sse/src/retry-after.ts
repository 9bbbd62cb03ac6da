/** Header fields as pairs; names compare without regard to case. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/**
 * How long a response asks its client to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date
 * (RFC 9110, section 10.2.3). A date in the past is 0. Undefined when there is none, or none that can be read.
 *
 * @param nowMs milliseconds since the epoch, for dates. Default `Date.now()`.
 */
export function retryAfterMs(headers: HeaderPairs, nowMs: number = Date.now()): number | undefined {
  const milliseconds = decimal(firstValue(headers, "retry-after-ms"));
  if (milliseconds !== undefined) return milliseconds;
  const value = firstValue(headers, "retry-after");
  const seconds = decimal(value);
  if (seconds !== undefined) return seconds * 1000;
  const dateMs = value === undefined ? undefined : httpDateMs(value);
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs);
}

/** What `x-should-retry` says; undefined when it says nothing. */
export function shouldRetryHint(headers: HeaderPairs): boolean | undefined {
  const value = firstValue(headers, "x-should-retry");
  if (value === "true") return true;
  return value === "false" ? false : undefined;
}

function firstValue(headers: HeaderPairs, wanted: string): string | undefined {
  return headers
    .find(([name]) => name.toLowerCase() === wanted)?.[1]
    .trim()
    .toLowerCase();
}

function decimal(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}(?:\.\d{1,15})?$/.test(value) ? Number(value) : undefined;
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
