import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";

const root = path.dirname(import.meta.dirname);

/** Everything that is loaded when a fresh process imports `specifier`, by file name or package. */
async function loadedBy(specifier: string): Promise<Set<string>> {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({
      resolve(specifier, context, next) {
        const result = next(specifier, context);
        loaded.push(result.url);
        return result;
      },
    });
    await import(${JSON.stringify(specifier)});
    console.log(JSON.stringify(loaded));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=hawser-source", "--input-type=module", "--eval", script],
    { cwd: root },
  );
  const source = `${path.join(root, "src")}${path.sep}`;
  return new Set(
    (JSON.parse(stdout) as string[]).map((url) => {
      const file = url.startsWith("file:") ? fileURLToPath(url) : url;
      return file.startsWith(source)
        ? file.slice(source.length)
        : (/.*node_modules[\\/]([^\\/]+)/.exec(file)?.[1] ?? file);
    }),
  );
}

describe("taking a part", () => {
  it(
    "loads the event parser for events, and neither a client nor the retries",
    proves("retry-sse/loads-nothing-else"),
    async () => {
      const loaded = await loadedBy("@hawser/retry-sse/sse");
      expect([...loaded].filter((name) => !name.endsWith(".ts"))).toEqual(["eventsource-parser"]);
      expect([...loaded].filter((name) => name.includes("retry"))).toEqual([]);
    },
  );

  it(
    "loads nothing for the retries, not even the parser",
    proves("retry-sse/loads-nothing-else"),
    async () => {
      const loaded = await loadedBy("@hawser/retry-sse/retry");
      expect([...loaded].filter((name) => !name.endsWith(".ts"))).toEqual([]);
      expect([...loaded].filter((name) => /sse|event/.test(name))).toEqual([]);
    },
  );

  it("installs the event parser and nothing more", proves("retry-sse/loads-nothing-else"), () => {
    const manifest = (folder: string) =>
      JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8")) as Record<
        string,
        object | undefined
      >;
    const own = manifest(".");
    expect(
      Object.keys({ ...own["dependencies"], ...own["peerDependencies"], ...own["optionalDependencies"] }),
    ).toEqual(["eventsource-parser"]);
    expect(manifest("node_modules/eventsource-parser")["dependencies"] ?? {}).toEqual({});
  });
});
