import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { canonicalJson, parseJsonText, printJsonText } from "./json-text.ts";

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

describe(printJsonText, () => {
  const print = (value: unknown, before?: string) => printJsonText(value as never, { maxDepth: 4, before });

  it.each([
    ["more digits than a number holds", '{"at":1764183600123456789}'],
    ["a fraction of nothing", '{"ratio":1.0,"list":[0.10,{"a":2E0}]}'],
    ["what is beyond all numbers", '{"big":1e999,"small":-1e999}'],
    ["a zero below zero", '{"a":-0,"b":[-0.0]}'],
    ["a member named __proto__", '{"__proto__":{"a":1.0}}'],
  ])("keeps numbers as they were written: %s", proves("oauth-store/numbers-kept"), (_, text) => {
    expect(print(JSON.parse(text), text)).toBe(text);
    expect(print(JSON.parse(text))).not.toBe(text);
  });

  it(
    "writes a number as it is where it is another, or stands elsewhere",
    proves("oauth-store/numbers-kept"),
    () => {
      const before = '{"a":1.0,"b":2.0,"c":{"d":3.0},"e":[4.0,4.0],"f":5.0}';
      const after = { b: 2, a: 7, c: 3, e: [9, 4], f: "5.0", g: 1 };
      expect(print(after, before)).toBe('{"b":2.0,"a":7,"c":3,"e":[9,4.0],"f":"5.0","g":1}');
    },
  );

  it("takes no content for a raw number", proves("oauth-store/numbers-kept"), () => {
    const text = '{"a":{"rawJSON":"1.0"},"b":1.0}';
    expect(print(JSON.parse(text), text)).toBe(text);
  });

  it("prints no deeper than can be read again", () => {
    expect(print([[[[]]]])).toBe("[[[[]]]]");
    expect(() => print([[[[[]]]]])).toThrow("nested too deeply");
    expect(() => print(JSON.parse("[".repeat(5000) + "]".repeat(5000)))).toThrow("nested too deeply");
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
