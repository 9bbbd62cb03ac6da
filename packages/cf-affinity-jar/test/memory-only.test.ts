import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";

describe("what the jar can do", () => {
  it(
    "is to compute: it loads no file system and no network",
    proves("cf-affinity-jar/memory-only"),
    async () => {
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
      await import("@hawser/cf-affinity-jar");
      console.log(JSON.stringify(loaded));
    `;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=hawser-source", "--input-type=module", "--eval", script],
        { cwd: path.dirname(import.meta.dirname) },
      );
      const loaded = JSON.parse(stdout) as string[];
      expect(loaded.some((url) => url.endsWith("create-affinity-jar.ts"))).toBe(true);
      expect(loaded.some((url) => url.includes("tough-cookie"))).toBe(true);
      expect(
        loaded.filter((url) => url.startsWith("node:") && !/^node:(?:url|util|punycode)$/.test(url)),
      ).toEqual([]);
    },
  );
});
