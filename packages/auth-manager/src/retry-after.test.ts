import { describe, expect, it } from "vitest";
import { retryAfterAtMs } from "./retry-after.ts";

describe(retryAfterAtMs, () => {
  const nowMs = Date.parse("2026-11-20T12:00:00Z");
  it.each([
    [undefined, undefined],
    ["nonsense", undefined],
    ["-5", undefined],
    ["30", nowMs + 30_000],
    ["Fri, 20 Nov 2026 12:01:00 GMT", nowMs + 60_000],
    ["Fri, 20 Nov 2026 11:00:00 GMT", nowMs],
    ["999999", nowMs + 15 * 60_000],
  ])("reads %j", (value, atMs) => {
    expect(retryAfterAtMs(value === undefined ? [] : [["Retry-After", value]], nowMs)).toBe(atMs);
  });
});
