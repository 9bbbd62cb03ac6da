import { proves } from "@hawser/test-kit";
import fc from "fast-check";
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

  it("spreads over the second half with equal jitter", () => {
    const waits = [0, 0.5, 1].map((value) => backoffDelayMs(2, { jitter: "equal", random: () => value }));
    expect(waits).toEqual([200, 300, 400]);
  });

  it("grows from the wait before with decorrelated jitter", () => {
    const highest = { jitter: "decorrelated", random: () => 1 } as const;
    expect([undefined, 600, 1800, 1e9].map((previous) => backoffDelayMs(9, highest, previous))).toEqual([
      600, 1800, 5400, 30_000,
    ]);
    expect(backoffDelayMs(9, { ...highest, random: () => 0 }, 1800)).toBe(200);
  });

  it("is a length of time up to its ceiling, with any strategy", proves("retry-sse/policy"), () => {
    const options = fc.record({
      jitter: fc.constantFrom("proportional", "equal", "full", "decorrelated", "none"),
      baseDelayMs: fc.integer({ min: 0, max: 100_000 }),
      factor: fc.double({ min: 0, max: 10, noNaN: true }),
      maxDelayMs: fc.integer({ min: 0, max: 60_000 }),
      random: fc.double({ min: 0, max: 0.9999, noNaN: true }).map((value) => () => value),
    });
    const previous = fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined });
    fc.assert(
      fc.property(options, fc.integer({ min: 0, max: 5000 }), previous, (options, retry, previousDelayMs) => {
        const wait = backoffDelayMs(retry, options, previousDelayMs);
        expect(wait >= 0 && wait <= options.maxDelayMs).toBe(true);
      }),
    );
  });
});
