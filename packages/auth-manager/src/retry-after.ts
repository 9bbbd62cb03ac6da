import type { HeaderList } from "@hawser/transport";

const longestWaitMs = 15 * 60 * 1000;

/** When `retry-after` (RFC 9110, section 10.2.3) allows the next attempt; at most 15 minutes from now. */
export function retryAfterAtMs(headers: HeaderList, nowMs: number): number | undefined {
  const value = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1].trim();
  if (value === undefined) return undefined;
  // Only the preferred date form ends in GMT; Date.parse alone would find a date in almost anything.
  const dateMs = value.endsWith("GMT") ? Date.parse(value) : Number.NaN;
  const atMs = /^\d{1,9}$/.test(value) ? nowMs + Number(value) * 1000 : dateMs;
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(atMs, nowMs), nowMs + longestWaitMs);
}
