import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      "packages/*/vitest.config.ts",
      "apps/*/vitest.config.ts",
      "internal/*/vitest.config.ts",
      "conformance/vitest.config.ts",
      "examples/vitest.config.ts",
      "tooling/vitest.config.ts",
    ],
    coverage: { include: ["**/src/**"] },
  },
});
