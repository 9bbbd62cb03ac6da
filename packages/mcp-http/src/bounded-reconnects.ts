import type { ReconnectionScheduler } from "@modelcontextprotocol/client";

export interface BoundedReconnectsOptions {
  /** Monotonic clock. @defaultValue performance.now */
  readonly now?: (() => number) | undefined;
}

const shortestDelayMs = 250;
const longestDelayMs = 30_000;
const calmMs = 60_000;

/**
 * Reconnects an event stream no faster than the server asked, never at once and never later than 30 s: the server's
 * `retry` is clamped, and a server that keeps closing is asked half as often each time, until a minute of calm.
 */
export function boundedReconnects(options: BoundedReconnectsOptions = {}): ReconnectionScheduler {
  const { now = () => performance.now() } = options;
  let soon = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return (reconnect, askedMs) => {
    soon = now() - lastMs > calmMs ? 0 : soon + 1;
    lastMs = now();
    const least = soon < 2 ? shortestDelayMs : shortestDelayMs * 2 ** Math.min(soon - 1, 8);
    const delayMs = Math.min(Math.max(askedMs || 0, least), longestDelayMs);
    const timer = setTimeout(reconnect, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  };
}
