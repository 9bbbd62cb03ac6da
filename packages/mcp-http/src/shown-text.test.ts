import { describe, expect, it } from "vitest";
import { shownText } from "./shown-text.ts";

describe(shownText, () => {
  it.each([
    ["plain", '"plain"'],
    ['say "hi"', '"say \\"hi\\""'],
    ["a\r\nb\u0000c", '"abc"'],
    ["\u001b[31mred\u009b0m", '"[31mred0m"'],
    ["user\u202egpj.exe\u2066", '"usergpj.exe"'],
    ["\u200bzero\ufeff", '"zero"'],
    ["naïve ✓ 😀", '"naïve ✓ 😀"'],
  ])("shows %j as %s", (text, shown) => {
    expect(shownText(text)).toBe(shown);
  });

  it("shortens", () => {
    expect(shownText("x".repeat(500), 10)).toBe('"xxxxxxxxxx…"');
  });
});
