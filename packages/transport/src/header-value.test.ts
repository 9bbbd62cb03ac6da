import { describe, expect, it } from "vitest";
import { headerValue } from "./header-value.ts";

describe(headerValue, () => {
  it("finds the first value without regard to case", () => {
    const headers = [
      ["X-A", "1"],
      ["x-b", ""],
      ["x-a", "2"],
    ] as const;

    expect([headerValue(headers, "x-A"), headerValue(headers, "X-B"), headerValue(headers, "x-c")]).toEqual([
      "1",
      "",
      undefined,
    ]);
  });
});
