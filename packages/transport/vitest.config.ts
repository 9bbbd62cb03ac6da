import { defineProject, mergeConfig, type UserWorkspaceConfig } from "vitest/config";
import { project } from "../../tooling/vitest.ts";

/** Tests of limits wait more than they work: all of them at once. */
const manyAtOnce: UserWorkspaceConfig = defineProject({ test: { maxConcurrency: 40 } });

export default mergeConfig(project("transport") as UserWorkspaceConfig, manyAtOnce) as UserWorkspaceConfig;
