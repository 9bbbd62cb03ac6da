import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { boundedReconnects } from "./bounded-reconnects.ts";

describe(boundedReconnects, () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** How often a server is asked in a time when it closes each stream at once and asks for this delay. */
  function countWithin(timeMs: number, askedMs: number): number {
    let count = 0;
    const schedule = boundedReconnects({ now: () => Date.now() });
    const reconnect = () => {
      count += 1;
      schedule(reconnect, askedMs, 0);
    };
    schedule(reconnect, askedMs, 0);
    vi.advanceTimersByTime(timeMs);
    return count;
  }

  it("waits as long as the server asks", () => {
    const reconnect = vi.fn();
    boundedReconnects()(reconnect, 500, 0);
    vi.advanceTimersByTime(499);
    expect(reconnect).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(reconnect).toHaveBeenCalledOnce();
  });

  it.each([0, 1, Number.NaN, -5])(
    "asks a server that keeps closing and wants %d ms at most five times in 3 s",
    (askedMs) => {
      expect(countWithin(3_000, askedMs)).toBeLessThanOrEqual(5);
      expect(countWithin(600_000, askedMs)).toBeLessThanOrEqual(30);
    },
  );

  it("waits no longer than 30 s, however long the server asks for", () => {
    const reconnect = vi.fn();
    boundedReconnects()(reconnect, 99_999_999_999, 0);
    vi.advanceTimersByTime(30_000);
    expect(reconnect).toHaveBeenCalledOnce();
  });

  it("begins anew after a minute of calm", () => {
    const schedule = boundedReconnects({ now: () => Date.now() });
    for (let count = 0; count < 10; count += 1) schedule(() => {}, 0, 0);
    vi.advanceTimersByTime(61_000);
    const reconnect = vi.fn();
    schedule(reconnect, 250, 0);
    vi.advanceTimersByTime(250);
    expect(reconnect).toHaveBeenCalledOnce();
  });

  it("can be called off", () => {
    const reconnect = vi.fn();
    const cancel = boundedReconnects()(reconnect, 10, 0);
    if (typeof cancel === "function") cancel();
    vi.advanceTimersByTime(60_000);
    expect(reconnect).not.toHaveBeenCalled();
  });
});
