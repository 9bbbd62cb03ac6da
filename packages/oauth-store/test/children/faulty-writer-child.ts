// First: what is loaded after it is watched.
import "../support/step-log.ts";
import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import type { JsonValue } from "../../src/credential-kind.ts";
import { systemKeyring } from "../../src/system-keyring.ts";
import { stepLog } from "../support/step-log.ts";
import type { Step } from "../support/steps.ts";
import { type StoreKind, storeMaker } from "../support/store-kinds.ts";

/** One write of one store. */
export interface FaultyWrite {
  readonly home: string;
  readonly key: string;
  readonly write: JsonValue | "remove";
  /** The points it passes before it stands still for ever. @defaultValue all */
  readonly passes?: number | undefined;
}

/** The point at which a write stands, or what it went through until it was done. */
export type FaultyWriteReport =
  | { readonly at: number; readonly stands: string }
  | { readonly at: number; readonly steps: readonly Step[] };

/** Makes all the writes at once. */
const port = connectParent();
const { kind, writes } = (await port.receive()) as { kind: StoreKind; writes: readonly FaultyWrite[] };
const open = storeMaker(stepLog.keyring(systemKeyring()));
const report = (what: FaultyWriteReport) => port.send(what);
await Promise.all(
  writes.map(async ({ home, key, write, passes }, at) => {
    const store = open(kind, home);
    const steps = stepLog.below(home);
    let passed = 0;
    await store.update(key, () => (write === "remove" ? "remove" : { write }), {
      quarantine: true,
      faultPoint: async (name) => {
        steps.push({ is: "point", name });
        if (passed === passes) {
          report({ at, stands: name });
          await new Promise(() => {});
        }
        passed += 1;
      },
    });
    report({ at, steps });
  }),
);
process.exit(0);
