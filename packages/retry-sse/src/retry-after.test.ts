import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HeaderPairs } from "./header-pairs.ts";
import { retryAfterMs } from "./retry-after.ts";

const nowMs = Date.UTC(1994, 10, 6, 8, 49, 37);

describe(retryAfterMs, () => {
  it.each([
    ["7", 7000],
    ["0", 0],
    ["1.5", 1500],
    [" 3 ", 3000],
    ["Sun, 06 Nov 1994 08:50:37 GMT", 60_000],
    ["Sunday, 06-Nov-94 08:50:37 GMT", 60_000],
    ["Sun Nov  6 08:50:37 1994", 60_000],
    ["Sun, 06 Nov 1994 08:00:00 GMT", 0],
    ["-1", undefined],
    ["soon", undefined],
    ["", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["Infinity", undefined],
    ["12 potatoes", undefined],
    ["potatoes 12", undefined],
    ["Sun, 99 Nov 1994 08:50:37 GMT", undefined],
    ["9".repeat(400), undefined],
  ])("reads %j", proves("retry-sse/retry-after"), (value, expected) => {
    expect(retryAfterMs([["Retry-After", value]], nowMs)).toBe(expected);
  });

  it.each([
    [[["retry-after-ms", "1500"]], 1500],
    [
      [
        ["retry-after", "9"],
        ["Retry-After-Ms", "250"],
      ],
      250,
    ],
    [
      [
        ["retry-after-ms", "soon"],
        ["retry-after", "9"],
      ],
      9000,
    ],
    [[], undefined],
  ] as [HeaderPairs, number | undefined][])(
    "prefers milliseconds: %j",
    proves("retry-sse/retry-after"),
    (headers, expected) => {
      expect(retryAfterMs(headers, nowMs)).toBe(expected);
    },
  );

  const epoch = nowMs / 1000;
  it.each([
    ["a list in which one limit was reached", { ratelimit: '"burst";r=0;t=10, "daily";r=50;t=3600' }, 10_000],
    ["the later of two that were reached", { ratelimit: '"burst";r=0;t=10, "daily";r=0;t=3600' }, 3_600_000],
    ["a name with a comma and a quote in it", { ratelimit: '"a,\\";r=9";r=0;t=4' }, 4000],
    ["the older form of the list", { ratelimit: "limit=100, remaining=0, reset=50" }, 50_000],
    ["fields of their own", { "ratelimit-remaining": "0", "ratelimit-reset": "7" }, 7000],
    ["seconds", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "7.5" }, 7500],
    [
      "a date in seconds",
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${epoch + 90 + 1e9}` },
      1e12 + 90_000,
    ],
    ["the spelling of others", { "x-rate-limit-remaining": "0", "x-rate-limit-reset": "8" }, 8000],
    [
      "Retry-After before it",
      { "retry-after": "3", "ratelimit-remaining": "0", "ratelimit-reset": "7" },
      3000,
    ],
    ["a limit that was not reached", { ratelimit: '"default";r=50;t=30' }, undefined],
    ["a limit that does not say", { "ratelimit-reset": "7" }, undefined],
    ["no reset", { ratelimit: '"default";r=0' }, undefined],
    ["a list nobody needs", { ratelimit: `"default";r=0;t=1${" ".repeat(5000)}` }, undefined],
    ["an open quote", { ratelimit: '"default;r=0;t=30' }, undefined],
    ["no number", { "ratelimit-remaining": "0", "ratelimit-reset": "soon" }, undefined],
  ])("reads when a limit is reset: %s", proves("retry-sse/retry-after"), (_, fields, expected) => {
    const headers = Object.entries(fields).map(([name, value]) => [name.toUpperCase(), value] as const);
    const wait = retryAfterMs(headers, nowMs);
    expect(wait).toBe(expected === undefined ? undefined : Math.min(expected, 365 * 86_400_000));
  });

  it.each([
    [{ "ratelimit-reset": "7" }, 7000],
    [{ ratelimit: '"default";t=30' }, 30_000],
    [{ "x-ratelimit-reset": `${1_900_000_000_000}` }, 1_900_000_000_000 - nowMs],
    [{ "x-ratelimit-reset": "1900000000" }, 1_900_000_000_000 - nowMs],
    [{ "x-ratelimit-reset": "784111000" }, 784_111_000_000],
  ])(
    "takes a 429 as saying that the limit was reached: %j",
    proves("retry-sse/retry-after"),
    (fields, expected) => {
      const wait = retryAfterMs(Object.entries(fields), nowMs, { status: 429 });
      expect(wait).toBe(Math.min(expected, 365 * 86_400_000));
    },
  );

  it("believes the clock of whoever names a date", proves("retry-sse/retry-after"), () => {
    const headers = [
      ["Date", "Sun, 06 Nov 1994 08:59:37 GMT"],
      ["Retry-After", "Sun, 06 Nov 1994 09:00:37 GMT"],
    ] as const;
    // Ten minutes behind it, or an hour ahead: it is a minute.
    for (const ownMs of [nowMs, nowMs + 3_600_000]) expect(retryAfterMs(headers, ownMs)).toBe(60_000);
    expect(retryAfterMs([["Date", "soon"], ...headers.slice(1)], nowMs)).toBe(660_000);
  });

  it("joins the lines of one list", () => {
    const headers = [
      ["RateLimit", '"a";r=0;t=1'],
      ["ratelimit", '"b";r=0;t=2'],
    ] as const;
    expect(retryAfterMs(headers, nowMs)).toBe(2000);
  });

  it("takes nothing for longer than a year", () => {
    for (const value of ["999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]) {
      expect(retryAfterMs([["retry-after", value]], nowMs)).toBe(365 * 86_400_000);
    }
  });

  it(
    "answers any header with a wait that can be waited, or with none",
    proves("retry-sse/retry-after"),
    () => {
      const name = fc.constantFrom(
        "retry-after",
        "retry-after-ms",
        "ratelimit",
        "ratelimit-reset",
        "x-ratelimit-reset",
      );
      const value = fc.oneof(
        fc.string({ unit: "binary" }),
        fc.stringMatching(/^[0-9.,;="rtabc -]{0,40}$/),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      );
      fc.assert(
        fc.property(
          fc.array(fc.tuple(name, value), { maxLength: 4 }),
          fc.constantFrom(429, 503),
          (headers, status) => {
            const wait = retryAfterMs(headers, nowMs, { status });
            expect(wait === undefined || (wait >= 0 && wait <= 365 * 86_400_000)).toBe(true);
          },
        ),
        { numRuns: 2000 },
      );
    },
  );
});
