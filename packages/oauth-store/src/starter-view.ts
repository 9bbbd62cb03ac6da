import type { Engine } from "./engine.ts";
import type { StoredCredential } from "./look.ts";
import type { StarterView } from "./next-starter.ts";
import { ownerOf } from "./owner-of.ts";
import { penOfRecord, type RecordPen } from "./record-pen.ts";
import { openSealed, type SealedAnswer } from "./sealed-answer.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import type { SpendHeader } from "./spend-header.ts";

/** The sealed answer in the record of the stored refresh token, when there is one that opens. */
export async function readSealed<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
): Promise<SealedAnswer | undefined> {
  const { record } = stored;
  const state = record?.header?.state;
  if (!record || state === "unknown" || state === "deferred" || state === "refused") return undefined;
  const body = await engine.ledger.readBody(record);
  return body && openSealed(engine, stored, body);
}

/** What the decision of the next starter rests on. */
export async function starterView<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  sealed: SealedAnswer | undefined,
): Promise<StarterView> {
  const { record } = stored;
  const { clock, state } = engine;
  return {
    record,
    lastAttempt: Math.max(0, ...stored.attempts.map(({ attempt }) => attempt)),
    owner: await ownerOf(engine, record),
    outlasted: record && state.claimWatch.hasOutlasted(record, clock.monotonicMs()),
    bodyOpens: sealed !== undefined,
    snapshotHash: stored.marks.snapshotHash,
    clientHash: stored.clientHash,
    nowMs: clock.wallMs(),
  };
}

/** Writes on the record that was found. */
export function penOf<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): RecordPen {
  const { record, identity, marks } = stored;
  if (!record) throw new Error("a sealed answer without a record");
  const nowMs = engine.clock.wallMs();
  // An unreadable header over a body that opens: the record is written anew, as what it must have been.
  const header: SpendHeader = record.header ?? {
    version: 1,
    fingerprint: record.fingerprint,
    state: "sealed",
    attempt: record.attempt,
    reason: "expiry",
    claimedAtMs: nowMs,
    leaseUntilMs: nowMs + LEASE_MS,
    failures: 0,
    uncertain: true,
    lineage: identity.lineage,
    generation: identity.generation,
    snapshotHash: marks.snapshotHash,
    clientHash: stored.clientHash,
    owner: engine.owner,
  };
  return penOfRecord(engine.ledger, record, header);
}
