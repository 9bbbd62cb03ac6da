import { defineProject } from "vitest/config";

const conditions = ["hawser-source", "node"];

/** One vitest project per workspace package, running on sources. */
export function project(name: string): ReturnType<typeof defineProject> {
  return defineProject({
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      name,
      include: ["*.test.ts", "src/**/*.test.ts", "test/**/*.test.ts"],
      environment: "node",
      testTimeout: 20_000,
      hookTimeout: 30_000,
      unstubEnvs: true,
    },
  });
}
