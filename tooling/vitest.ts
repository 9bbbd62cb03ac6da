import { defineProject } from "vitest/config";

const conditions = ["hawser-source", "node"];

export interface ProjectOptions {
  /** Run before each test file, for what is to hold in all of them. @defaultValue none */
  readonly setupFiles?: string[] | undefined;
}

/** One vitest project per workspace package, running on sources. */
export function project(name: string, options: ProjectOptions = {}): ReturnType<typeof defineProject> {
  const { setupFiles = [] } = options;
  return defineProject({
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      name,
      include: ["*.test.ts", "src/**/*.test.ts", "test/**/*.test.ts"],
      environment: "node",
      setupFiles,
      // Ends a test that hangs; nothing here is judged by how long it takes.
      testTimeout: 60_000,
      hookTimeout: 60_000,
      unstubEnvs: true,
    },
  });
}
