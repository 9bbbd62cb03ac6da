import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDeeperThan } from "./json-depth.ts";

describe(isDeeperThan, () => {
  it("counts arrays and objects alike and allows the limit itself", () => {
    const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${"}]".repeat(levels / 2)}`;
    expect(isDeeperThan(nested(256), 256)).toBe(false);
    expect(isDeeperThan(nested(258), 256)).toBe(true);
  });

  it("does not count brackets inside strings, escaped quotes included", () => {
    const text = JSON.stringify({ a: `\\"${"[".repeat(1_000)}\\\\"`, b: "\\", c: [1] });
    expect(isDeeperThan(text, 2)).toBe(false);
    expect(isDeeperThan(text, 1)).toBe(true);
  });

  it("agrees with a walk over the parsed value", () => {
    const depthOf = (value: unknown): number =>
      typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = `${JSON.stringify(value)}${" ".repeat(20)}`;
        const depth = depthOf(value);
        return !isDeeperThan(text, depth) && (depth === 0 || isDeeperThan(text, depth - 1));
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses five million levels without parsing them", proves("json-rpc/depth"), () => {
    expect(isDeeperThan("[".repeat(5_000_000), 256)).toBe(true);
  });
});
