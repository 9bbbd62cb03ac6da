import type { SpendState } from "../../src/index.ts";
import type { HomeSetting } from "./home-setting.ts";

/** The states of the credential's spend records, the earliest generation first. */
export async function recordStates(setting: HomeSetting): Promise<SpendState[]> {
  return [...(await setting.records())].sort((a, b) => a.generation - b.generation).map((one) => one.state);
}
