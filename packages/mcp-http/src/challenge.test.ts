import { describe, expect, it } from "vitest";
import { challengesOf, insufficientScope, maxChallengeLength, parseChallenges } from "./challenge.ts";

function shape(text: string): unknown {
  return parseChallenges(text).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe(parseChallenges, () => {
  it.each([
    ["Bearer", [["bearer", {}]]],
    ['Bearer realm="a, b", error="invalid_token"', [["bearer", { realm: "a, b", error: "invalid_token" }]]],
    ['BEARER Error = "x" ; scope="a b"', [["bearer", { error: "x", scope: "a b" }]]],
    [
      'Basic realm="x", Bearer error=insufficient_scope',
      [
        ["basic", { realm: "x" }],
        ["bearer", { error: "insufficient_scope" }],
      ],
    ],
    [
      "Negotiate YII/a+b==, Bearer a=1",
      [
        ["negotiate", {}],
        ["bearer", { a: "1" }],
      ],
    ],
    [
      "Negotiate, Bearer a=1",
      [
        ["negotiate", {}],
        ["bearer", { a: "1" }],
      ],
    ],
    ['Bearer a="\\"quoted\\\\"', [["bearer", { a: '"quoted\\' }]]],
    ['Bearer a="never ends', [["bearer", {}]]],
    ['Bearer error="a", error="b", error="c"', [["bearer", {}]]],
    ["", []],
    [",,;= ;", []],
    ["Bearer a=", [["bearer", {}]]],
  ])("reads %j", (text, expected) => {
    expect(shape(text)).toEqual(expected);
  });

  it("reads 16 KiB and no more, in time that grows with the length only", () => {
    const text = `Bearer ${'a="\\'.repeat(1_000_000)}`;
    const started = performance.now();
    parseChallenges(text);
    expect(performance.now() - started).toBeLessThan(250);
    expect(shape(`${" ".repeat(maxChallengeLength)}Bearer a=1`)).toEqual([]);
  });
});

describe(insufficientScope, () => {
  it("finds it in a later field and behind another scheme", () => {
    const challenges = challengesOf([
      ["www-authenticate", 'Basic realm="x"'],
      ["WWW-Authenticate", 'Digest a=b, Bearer error="insufficient_scope", scope="tools:write tools:read"'],
    ]);
    expect(insufficientScope(challenges)).toEqual({ scope: "tools:write tools:read" });
  });

  it("does not take the word from another scheme, another parameter or a repeated one", () => {
    for (const text of [
      'Basic error="insufficient_scope"',
      'Bearer error_description="insufficient_scope"',
      'Bearer error="insufficient_scope", error="insufficient_scope"',
    ]) {
      expect(insufficientScope(parseChallenges(text))).toBeUndefined();
    }
  });

  it("drops a scope with characters that no scope has", () => {
    expect(insufficientScope(parseChallenges('Bearer error="insufficient_scope", scope="a  b"'))).toEqual({});
    expect(insufficientScope(parseChallenges('Bearer error="insufficient_scope", scope="a\\"b"'))).toEqual(
      {},
    );
  });
});
