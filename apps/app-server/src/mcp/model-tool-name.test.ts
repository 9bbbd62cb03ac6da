import { describe, expect, it } from "vitest";
import { modelToolName } from "./model-tool-name.ts";

describe(modelToolName, () => {
  it("keeps a name that is legal", () => {
    expect(modelToolName("secure", "echo-word_2")).toBe("mcp__secure__echo-word_2");
  });

  it("makes any other name legal and keeps it apart from its likes", () => {
    const names = ["a.b", "a/b", "a b", "x".repeat(100), `${"x".repeat(99)}y`].map((tool) =>
      modelToolName("s", tool),
    );
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/);
  });
});
