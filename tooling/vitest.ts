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
      // Ends a test that hangs; nothing here is judged by how long it takes.
      testTimeout: 60_000,
      hookTimeout: 60_000,
      unstubEnvs: true,
    },
  });
}
