import type { Engine } from "./engine.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import type { SpendOwner } from "./spend-header.ts";
import type { FoundRecord, OwnerProof } from "./spend-ledger.ts";

/** What is known of whoever claimed a record; `unproven` also where it does not matter. */
export async function ownerOf<C, V>(
  engine: Engine<C, V>,
  record: FoundRecord | undefined,
): Promise<OwnerProof> {
  const proof = record && isOpen(record) ? await engine.ledger.ownerOf(record) : "unproven";
  // A virtual machine's lock on a directory that its host shares with it is not seen by the host, nor the other way.
  return proof === "dead" && isElsewhere(record?.header?.owner, engine.owner) ? "unproven" : proof;
}

/** Whether somebody may still have something to write into it: by its lock, and where that proves nothing by its lease. */
export async function mayBeWritten<C, V>(engine: Engine<C, V>, record: FoundRecord): Promise<boolean> {
  if (!isOpen(record)) return false;
  const proof = await ownerOf(engine, record);
  if (proof !== "unproven") return proof === "alive";
  return engine.clock.wallMs() < (record.header?.leaseUntilMs ?? record.writtenAtMs + LEASE_MS);
}

function isOpen({ header }: FoundRecord): boolean {
  return header === undefined || header.state === "claimed" || header.state === "held";
}

/** Whether a claim was made under another kernel, as far as can be told, that has not simply been started anew. */
function isElsewhere(theirs: SpendOwner | undefined, ours: SpendOwner): boolean {
  if (!theirs) return false;
  const sameBoot = theirs.boot === ours.boot && ours.boot !== "unknown";
  return !sameBoot && theirs.host !== ours.host;
}
