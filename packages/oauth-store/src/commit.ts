import { countingRecord } from "./counting-record.ts";
import type { JsonValue } from "./credential-kind.ts";
import type { Installed } from "./credential-state.ts";
import type { Engine } from "./engine.ts";
import { snapshotHash } from "./fingerprint.ts";
import { forgetSpending } from "./forget-spending.ts";
import { type CredentialIdentity, type CredentialMarks, identify } from "./identify.ts";
import { type NotedGeneration, notedLogin } from "./lineage-note.ts";
import { marksOf, parseEntry, type StoredCredential } from "./look.ts";

/** A successor on its way into the store. */
export interface CommitPlan<C> {
  /** What was read before the spending, and was spent. */
  readonly base: StoredCredential<C>;
  readonly answer: JsonValue;
  readonly receivedAtMs: number;
  /** 0 marks the access token as not to be sent. */
  readonly lifetimeMs: number | undefined;
  readonly freshRejectionAtMs?: number | undefined;
}

export type CommitResult<C, V> =
  | { readonly done: "committed"; readonly installed: Installed<C, V> }
  /** Another login is there, or an older generation of ours. */
  | { readonly done: "replaced"; readonly wentBack: boolean }
  /** None is there, or ours was saved long ago and has gone on: it is dropped. */
  | { readonly done: "absent" | "outdated" };

/** What becomes of the base, wherever it is put. */
export function successorOf<C, V>(
  engine: Engine<C, V>,
  plan: CommitPlan<C>,
  onto: { readonly credential: C; readonly entry: JsonValue },
): { readonly entry: JsonValue; readonly installed: Installed<C, V> } {
  const { receivedAtMs, lifetimeMs, base } = plan;
  const credential = engine.kind.merge(onto.credential, plan.answer, {
    receivedAtMs,
    expired: lifetimeMs === 0,
  });
  const entry = engine.kind.serialize(credential, onto.entry);
  const identity: CredentialIdentity = {
    lineage: base.identity.lineage,
    generation: base.identity.generation + 1,
    receivedAtMs,
    lifetimeMs,
    by: "refresh",
  };
  return { entry, installed: engine.state.prepare(credential, identity, marksOf(engine, credential, entry)) };
}

/**
 * Puts a successor into the store, if the store still holds what was spent: the same snapshot, or another with the
 * same refresh token, onto which it is merged. Throws when it cannot be saved; nothing is lost by that.
 */
export async function commitSuccessor<C, V>(
  engine: Engine<C, V>,
  plan: CommitPlan<C>,
  lockTimeoutMs: number,
): Promise<CommitResult<C, V>> {
  const { kind, key, store } = engine;
  const { base } = plan;
  const ours = successorOf(engine, plan, base);
  let result: CommitResult<C, V> = { done: "absent" };
  await store.update(
    key,
    async (current) => {
      if (current === undefined) {
        result = { done: "absent" };
        return "keep";
      }
      const currentHash = snapshotHash(key, current);
      const there = currentHash === base.marks.snapshotHash ? base.credential : parseEntry(engine, current);
      const refreshToken = kind.spendable(there);
      // Somebody finished for us, or our own save was cut after its rename: save it again, to be sure it is durable.
      const isOurs = currentHash === ours.installed.marks.snapshotHash;
      if (!isOurs && refreshToken !== base.refreshToken) {
        const identity = await identityOf(engine, there, current);
        const { lineage, generation } = ours.installed.identity;
        result = {
          done: "replaced",
          wentBack: identity.lineage === lineage && identity.generation < generation,
        };
        return "keep";
      }
      if (!isOurs && (await hasGoneOn(engine, ours.installed.identity, there, current))) {
        result = { done: "outdated" };
        return "keep";
      }
      const next = isOurs
        ? { entry: current, installed: ours.installed }
        : successorOf(engine, plan, { credential: there, entry: current });
      const { fingerprint } = next.installed.marks;
      // A server may issue once more what it had issued before: then that is good again.
      if (!isOurs && fingerprint !== base.marks.fingerprint) await forgetOlder(engine, next.installed);
      await noteGenerations(engine, plan, next.installed);
      await engine.fault("noted");
      result = { done: "committed", installed: next.installed };
      return { write: next.entry };
    },
    { lockTimeoutMs, faultPoint: (name) => engine.fault(name) },
  );
  return result;
}

async function forgetOlder<C, V>(
  engine: Engine<C, V>,
  { identity, marks }: Pick<Installed<C, V>, "identity" | "marks">,
): Promise<void> {
  if (marks.fingerprint === undefined) return;
  const header = countingRecord(await engine.ledger.attempts(marks.fingerprint))?.header;
  const isOlder = header?.lineage === identity.lineage && header.generation < identity.generation;
  if (isOlder && header.state === "settled") await forgetSpending(engine, marks.fingerprint);
}

/** Whether the store has this generation already, or a later one, under the refresh token that was kept. */
async function hasGoneOn<C, V>(
  engine: Engine<C, V>,
  ours: CredentialIdentity,
  credential: C,
  entry: JsonValue,
): Promise<boolean> {
  const there = await identityOf(engine, credential, entry);
  return there.lineage === ours.lineage && there.generation >= ours.generation;
}

async function identityOf<C, V>(
  engine: Engine<C, V>,
  credential: C,
  entry: JsonValue,
): Promise<CredentialIdentity> {
  const { key, ledger } = engine;
  const marks = marksOf(engine, credential, entry);
  const attempts = marks.fingerprint === undefined ? [] : await ledger.attempts(marks.fingerprint);
  return identify(key, marks, await ledger.readLineage(), countingRecord(attempts)?.header);
}

/** How the lineage note names a generation. */
export function noted(identity: CredentialIdentity, marks: CredentialMarks): NotedGeneration {
  const { generation, receivedAtMs, lifetimeMs, by } = identity;
  return { generation, ...marks, receivedAtMs, lifetimeMs, by: by === "login" ? "login" : "refresh" };
}

async function noteGenerations<C, V>(
  engine: Engine<C, V>,
  plan: CommitPlan<C>,
  installed: Installed<C, V>,
): Promise<void> {
  const { base } = plan;
  const kept = notedLogin(base.note, base.identity.lineage);
  await engine.ledger.writeLineage({
    version: 1,
    lineage: base.identity.lineage,
    current: noted(installed.identity, installed.marks),
    previous: noted(base.identity, base.marks),
    pins: kept?.pins,
    freshRejectionAtMs: plan.freshRejectionAtMs ?? kept?.freshRejectionAtMs,
  });
}
