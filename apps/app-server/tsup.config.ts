import { buildConfig } from "../../tooling/tsup.ts";

export default buildConfig(["src/main.ts"], { noExternal: ["@hawser/json-rpc"] });
