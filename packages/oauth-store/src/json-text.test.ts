import { describe, expect, it } from "vitest";
import { canonicalJson, parseJsonText } from "./json-text.ts";

describe(parseJsonText, () => {
  it("reads JSON up to its depth and not beyond", () => {
    expect(parseJsonText('{"a":["]}[",{"b":1}]}', { maxDepth: 3 })).toEqual({ a: ["]}[", { b: 1 }] });
    expect(() => parseJsonText('{"a":[[1]]}', { maxDepth: 2 })).toThrow("nested too deeply");
  });

  it("does not quote what it could not read", () => {
    expect(() => parseJsonText("secret-text", { maxDepth: 2 })).toThrow(/^not JSON$/);
  });

  it("gives up on millions of levels before parsing them", () => {
    expect(() => parseJsonText("[".repeat(5_000_000), { maxDepth: 64 })).toThrow("nested too deeply");
  });
});

describe(canonicalJson, () => {
  it("is the same for the same content in another order, and keeps a member named __proto__", () => {
    const a = JSON.parse('{"b":1,"__proto__":{"x":[1,2]},"a":null}');
    const b = JSON.parse('{"a":null,"__proto__":{"x":[1,2]},"b":1}');
    expect(canonicalJson(a)).toBe(canonicalJson(b));
    expect(canonicalJson(a)).toContain("__proto__");
  });
});
