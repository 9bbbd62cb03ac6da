import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import type { JsonValue } from "../../src/credential-kind.ts";
import { type StoreKind, storeMaker } from "../support/store-kinds.ts";

/** One write of one store. */
export interface FaultyWrite {
  readonly home: string;
  readonly key: string;
  readonly write: JsonValue | "remove";
  readonly quarantine: boolean;
  readonly stopAt: string;
}

/** Makes all the writes at once; each stands still at its point, and says so. */
const port = connectParent();
const { kind, writes } = (await port.receive()) as { kind: StoreKind; writes: readonly FaultyWrite[] };
const open = storeMaker();
await Promise.all(
  writes.map(async ({ home, key, write, quarantine, stopAt }) => {
    await open(kind, home).update(key, () => (write === "remove" ? "remove" : { write }), {
      quarantine,
      faultPoint: async (name) => {
        if (name !== stopAt) return;
        port.send(stopAt);
        await new Promise(() => {});
      },
    });
    port.send(`never came to ${stopAt}`);
  }),
);
