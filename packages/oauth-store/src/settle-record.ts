import type { CommitPlan, CommitResult } from "./commit.ts";
import { countingRecord } from "./counting-record.ts";
import type { Engine } from "./engine.ts";
import { fingerprint } from "./fingerprint.ts";
import { mayBeWritten } from "./owner-of.ts";
import type { RecordPen } from "./record-pen.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { FoundRecord } from "./spend-ledger.ts";

const KEPT_RECORDS = 16;

/**
 * Closes the record of a refresh token that has left the store. Never throws: what had to be saved is saved, and a
 * record that stays as it was is settled by whoever meets it.
 */
export async function settleRecord<C, V>(
  engine: Engine<C, V>,
  pen: RecordPen,
  plan: CommitPlan<C>,
  how: CommitResult<C, V>["done"],
): Promise<void> {
  const { base, receivedAtMs, lifetimeMs } = plan;
  const successor = engine.kind.successorOf(plan.answer) ?? base.refreshToken;
  try {
    if ((how === "committed" || how === "outdated") && successor === base.refreshToken) {
      // The same refresh token goes on: it must not look spent.
      await removeAttempts(engine, pen.header);
    } else {
      await pen.write({
        ...pen.header,
        state: "settled",
        nextAtMs: undefined,
        outcomeCode: how === "committed" ? undefined : how,
        receivedAtMs,
        lifetimeMs,
      });
    }
    await engine.fault("settled");
    // What was dropped was saved nowhere: the way to it is through the older answers, and those stay.
    if (how === "committed") await tidyRecords(engine, pen.header, fingerprintOf(engine, successor));
  } catch {
    // See above.
  } finally {
    pen.close();
  }
}

/** Wipes the bodies that a settled generation makes useless, and prunes old records. */
async function tidyRecords<C, V>(
  engine: Engine<C, V>,
  settled: { readonly fingerprint: string; readonly lineage: string; readonly generation: number },
  storedFingerprint: string | undefined,
): Promise<void> {
  const { ledger } = engine;
  const records = await ledger.list();
  const highest = new Map<string, FoundRecord>();
  for (const [fingerprint, attempts] of Map.groupBy(records, (record) => record.fingerprint)) {
    const counting = countingRecord(attempts) ?? attempts.toSorted((a, b) => b.attempt - a.attempt)[0];
    if (counting) highest.set(fingerprint, counting);
  }
  // This login's by generation, which no clock can turn round; then the others' by time.
  const age = ({ header }: FoundRecord) => (header?.lineage === settled.lineage ? header.generation : -1);
  const newest = [...highest.values()].sort((a, b) => age(b) - age(a) || claimedAtMs(b) - claimedAtMs(a));
  const kept = new Set(newest.slice(0, KEPT_RECORDS));
  for (const record of highest.values()) {
    if (record.fingerprint === settled.fingerprint || record.fingerprint === storedFingerprint)
      kept.add(record);
  }
  for (const record of records) {
    const { header } = record;
    if (!kept.has(record)) {
      const counting = highest.get(record.fingerprint);
      const isOpen = counting && kept.has(counting) && counting.header?.state !== "settled";
      // One that was given back keeps its number from being used again. And an answer is an answer, though somebody
      // who did not know of it has claimed since.
      if (isOpen && (record.attempt > counting.attempt || header?.state === "sealed")) continue;
      // A record that somebody may still write into is somebody's hope.
      if (!(await mayBeWritten(engine, record))) await ledger.prune(record);
    } else if (header && header.lineage === settled.lineage && header.generation < settled.generation) {
      if (record.fingerprint !== storedFingerprint) await outlive(engine, record, header);
    }
  }
}

/**
 * The login has gone past this refresh token and what it was spent for. It is said first, then the answer is wiped:
 * a record that tells of an answer nobody can open would have the token sent again.
 */
async function outlive<C, V>(
  { ledger }: Engine<C, V>,
  record: FoundRecord,
  header: SpendHeader,
): Promise<void> {
  if (header.state !== "settled") {
    if ((await ledger.ownerOf(record)) === "alive") return;
    await ledger.writeHeader(record, { ...header, state: "settled", nextAtMs: undefined });
  }
  await ledger.wipeBody(record);
}

/** Removes an attempt and those before it; what was begun since, by whoever finished this one, is not ours. */
async function removeAttempts<C, V>(engine: Engine<C, V>, ours: SpendHeader): Promise<void> {
  const attempts = await engine.ledger.attempts(ours.fingerprint);
  const there = attempts.find(({ attempt }) => attempt === ours.attempt);
  // Gone: somebody has finished it, and what is below it by now may be a claim of the living.
  if (!there || (there.header && !isSameAttempt(there.header, ours))) return;
  const done = attempts.filter(({ attempt }) => attempt <= ours.attempt);
  // The highest last: until then it is the one that counts.
  for (const record of done.sort((a, b) => a.attempt - b.attempt)) await engine.ledger.remove(record);
}

function isSameAttempt(a: SpendHeader, b: SpendHeader): boolean {
  const sign = ({ lineage, generation, claimedAtMs, owner }: SpendHeader) =>
    JSON.stringify([lineage, generation, claimedAtMs, owner]);
  return sign(a) === sign(b);
}

function claimedAtMs(record: FoundRecord): number {
  return record.header?.claimedAtMs ?? record.writtenAtMs;
}

function fingerprintOf<C, V>(engine: Engine<C, V>, refreshToken: string | undefined): string | undefined {
  return refreshToken === undefined ? undefined : fingerprint(engine.key, refreshToken);
}
