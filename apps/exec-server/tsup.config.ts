import { buildConfig } from "../../tooling/tsup.ts";

export default buildConfig(["src/main.ts", "src/client.ts"], { noExternal: ["@hawser/json-rpc"] });
