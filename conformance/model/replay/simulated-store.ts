import type { CredentialStore, JsonValue } from "@hawser/oauth-store";
import type { Gates } from "./gates.ts";

/** One entry that all processes share; saving is a gate of the process that saves. */
export class SimulatedStore {
  #text: string | undefined;

  get entry(): JsonValue | undefined {
    return this.#text === undefined ? undefined : (JSON.parse(this.#text) as JsonValue);
  }

  set entry(value: JsonValue | undefined) {
    this.#text = value === undefined ? undefined : JSON.stringify(value);
  }

  storeOf(gates: Gates): CredentialStore {
    return {
      name: "simulated",
      read: async () => this.entry,
      update: async (_key, change) => {
        await gates.reach("update");
        const decided = await change(this.entry);
        if (decided === "remove") this.#text = undefined;
        else if (decided !== "keep") this.entry = decided.write;
      },
      rehearse: async () => {},
    };
  }
}
