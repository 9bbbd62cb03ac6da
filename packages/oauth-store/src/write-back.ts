import { noted } from "./commit.ts";
import type { Installed } from "./credential-state.ts";
import type { Engine } from "./engine.ts";
import { snapshotHash } from "./fingerprint.ts";
import { HOLD_LIMIT_MS, type Hold } from "./hold.ts";
import { notedLogin } from "./lineage-note.ts";
import { marksOf, type StoredCredential } from "./look.ts";

/**
 * The store went back to an older generation (a restored backup, a synced home) while this process holds a later
 * one: ours is written again, if the store still shows what was judged.
 */
export async function writeBack<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C>,
  newer: Installed<C, V>,
): Promise<void> {
  const { identity, credential } = newer;
  let written = false;
  await engine.store.update(
    engine.key,
    async (current) => {
      if (current === undefined || snapshotHash(engine.key, current) !== stored.marks.snapshotHash)
        return "keep";
      const entry = engine.kind.serialize(credential, current);
      const kept = notedLogin(stored.note, identity.lineage);
      await engine.ledger.writeLineage({
        version: 1,
        lineage: identity.lineage,
        current: noted(identity, marksOf(engine, credential, entry)),
        previous: noted(stored.identity, stored.marks),
        pins: kept?.pins,
        freshRejectionAtMs: kept?.freshRejectionAtMs,
      });
      written = true;
      return { write: entry };
    },
    { lockTimeoutMs: hold.leftMs(HOLD_LIMIT_MS), faultPoint: (name) => engine.fault(name) },
  );
  if (written) {
    engine.emit({ type: "restored", lineage: identity.lineage, generation: identity.generation });
  }
}
