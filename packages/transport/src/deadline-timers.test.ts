import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DeadlineTimers } from "./deadline-timers.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe(DeadlineTimers, () => {
  it.each([1, 50, 1_999, 2_000, 2_001, 2_999, 3_000, 30_000, 3_600_000])(
    "ends after %i ms, no sooner and no later",
    proves("transport/deadline"),
    (ms) => {
      const timers = new DeadlineTimers();
      const passed: number[] = [];
      const startedMs = performance.now();
      timers.start(ms, () => passed.push(performance.now() - startedMs));

      vi.advanceTimersByTime(ms - 1);
      expect(passed).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(passed).toEqual([ms]);
    },
  );

  it("is not fooled by a deadline beyond what a timer can hold", proves("transport/deadline"), () => {
    const timers = new DeadlineTimers();
    const onPassed = vi.fn();
    timers.start(2 ** 31 + 5, onPassed);

    vi.advanceTimersByTime(3_600_000);

    expect(onPassed).not.toHaveBeenCalled();
  });

  it("ends nothing that was stopped, near or far", proves("transport/deadline"), () => {
    const timers = new DeadlineTimers();
    const onPassed = vi.fn();
    for (const ms of [10, 5_000, 5_000]) timers.stop(timers.start(ms, onPassed));
    const nearing = timers.start(5_000, onPassed);
    vi.advanceTimersByTime(4_500);
    timers.stop(nearing);

    vi.advanceTimersByTime(60_000);

    expect([onPassed.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("has one timer for any number of far deadlines", () => {
    const timers = new DeadlineTimers();
    for (let count = 0; count < 1_000; count += 1) timers.start(30_000 + count, () => {});

    expect(vi.getTimerCount()).toBe(1);
  });

  it("starts over after it had nothing to do", proves("transport/deadline"), () => {
    const timers = new DeadlineTimers();
    const onPassed = vi.fn();
    timers.start(5_000, onPassed);
    vi.advanceTimersByTime(20_000);
    timers.start(5_000, onPassed);
    vi.advanceTimersByTime(5_000);

    expect(onPassed).toHaveBeenCalledTimes(2);
  });
});
