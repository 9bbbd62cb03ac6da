import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { type HeaderPairs, retryAfterMs } from "./retry-after.ts";

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
});
