import { defineConfig, type Options } from "tsup";

/** One way to build every package: ESM for Node 22, source maps, no declarations (tsc writes those). */
export function buildConfig(entry: string[], options: Options = {}): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: ["esm"],
    target: "node22",
    platform: "node",
    sourcemap: true,
    clean: true,
    dts: false,
    splitting: true,
    ...options,
  });
}
