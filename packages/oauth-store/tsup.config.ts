import { buildConfig } from "../../tooling/tsup.ts";

export default buildConfig(["src/index.ts"]);
