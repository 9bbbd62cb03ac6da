import { describe, expect, it } from "vitest";
import { importSpecifiers, sourceWords, splitWords } from "./source-words.ts";

const words = (source: string) => sourceWords(source).map(({ word }) => word);

describe(splitWords, () => {
  it("splits camel, snake, kebab and acronyms", () => {
    expect(splitWords("accessTokens MCP_HTTP set-cookie HTTPServer")).toEqual([
      "access",
      "tokens",
      "mcp",
      "http",
      "set",
      "cookie",
      "http",
      "server",
    ]);
  });
});

describe(sourceWords, () => {
  it("reads identifiers, strings and templates", () => {
    expect(words('const accessToken = "set-cookie";')).toContain("cookie");
    expect(words("const a = `x ${b.mcpUrl} // not a comment`;")).toEqual(
      expect.arrayContaining(["mcp", "comment"]),
    );
  });

  it.each([
    ["line comment", "const a = 1; // token"],
    ["block comment", "/* token */ const a = 1;"],
    ["comment after a regular expression with quotes", "const a = /[\"'`]/.test(b); // token"],
    ["comment after a division", "const a = b / 2; // token"],
    ["comment after a string that holds a slash pair", 'const a = "http://x"; // token'],
    ["comment inside a template expression", "const a = `${b /* token */}`;"],
  ])("passes over a %s", (_what, source) => {
    expect(words(source)).not.toContain("token");
  });

  it("still reads what follows a comment-like string", () => {
    expect(words('const a = "/*"; const token = "*/";')).toContain("token");
  });
});

describe(importSpecifiers, () => {
  it("finds static, side-effect, dynamic and re-exported modules, over several lines", () => {
    const source = [
      'import type { A } from "a";',
      'import "b";',
      'export { c } from "c";',
      "import {",
      "  d,",
      '} from "d";',
      'const e = await import("e");',
      '// import "no";',
    ].join("\n");
    expect(
      importSpecifiers(source)
        .map(({ specifier }) => specifier)
        .sort(),
    ).toEqual(["a", "b", "c", "d", "e"]);
  });
});
