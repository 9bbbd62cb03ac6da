import { describe, expect, it } from "vitest";
import { maxJsonDepth, parseJson } from "./read-json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nested = (depth: number) => bytes(`${"[".repeat(depth)}${"]".repeat(depth)}`);

describe(parseJson, () => {
  it("reads JSON up to 64 deep and nothing deeper", () => {
    expect(parseJson(nested(maxJsonDepth))).toBeDefined();
    expect(parseJson(nested(maxJsonDepth + 1))).toBeUndefined();
  });

  it("counts no brackets inside texts", () => {
    const text = `{"a":"${"[".repeat(500)}\\"${"{".repeat(500)}","b":[]}`;
    expect(parseJson(bytes(text))).toMatchObject({ b: [] });
  });

  it("gives up on five million levels in a moment", () => {
    const startedMs = performance.now();
    expect(parseJson(nested(5_000_000))).toBeUndefined();
    expect(performance.now() - startedMs).toBeLessThan(500);
  });

  it("does not quote what it cannot read", () => {
    expect(parseJson(bytes('{"access_token":"secret'))).toBeUndefined();
  });
});
