import { describe, expect, it } from "vitest";
import { backoffDelayMs } from "./backoff.ts";

describe(backoffDelayMs, () => {
  it("doubles from 200 ms, with jitter of a tenth either way", () => {
    const lowest = [1, 2, 3, 4].map((retry) => backoffDelayMs(retry, { random: () => 0 }));
    const highest = [1, 2, 3, 4].map((retry) => backoffDelayMs(retry, { random: () => 1 }));
    expect(lowest).toEqual([180, 360, 720, 1440]);
    expect(highest.map(Math.round)).toEqual([220, 440, 880, 1760]);
  });

  it("never exceeds its ceiling, at any retry", () => {
    for (const retry of [9, 100, 10_000]) {
      expect(backoffDelayMs(retry, { random: () => 0.999 })).toBe(30_000);
      expect(backoffDelayMs(retry, { maxDelayMs: 500, jitter: "none" })).toBe(500);
    }
  });

  it("spreads evenly with full jitter", () => {
    expect([0, 0.5].map((value) => backoffDelayMs(2, { jitter: "full", random: () => value }))).toEqual([
      0, 200,
    ]);
  });

  it("grows by the factor it is given", () => {
    const options = { baseDelayMs: 10, factor: 3, jitter: "none" } as const;
    expect([0, 1, 2, 3].map((retry) => backoffDelayMs(retry, options))).toEqual([10, 10, 30, 90]);
  });
});
