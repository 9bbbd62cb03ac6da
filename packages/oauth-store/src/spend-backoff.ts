/** Longest wait between two attempts. */
export const BACKOFF_CAP_MS: number = 15 * 60_000;

/** How long a claimant without a provable lock counts as living. */
export const LEASE_MS = 60_000;

/**
 * Wait after attempt number `failures` without a good end: 1 to 3 s, so that a server's grace window is met, then
 * doubling to 15 minutes.
 */
export function spendBackoffMs(failures: number, random: number): number {
  const firstMs = 1000 + 2000 * random;
  return Math.min(firstMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30), BACKOFF_CAP_MS);
}

/** When the next attempt may be made: our own wait, or a later time the server named, up to the cap. */
export function nextAttemptAtMs(options: {
  nowMs: number;
  failures: number;
  random: number;
  retryAtMs?: number | undefined;
}): number {
  const { nowMs, failures, random, retryAtMs = 0 } = options;
  const askedMs = Number.isFinite(retryAtMs) ? retryAtMs : 0;
  return Math.min(Math.max(nowMs + spendBackoffMs(failures, random), askedMs), nowMs + BACKOFF_CAP_MS);
}
