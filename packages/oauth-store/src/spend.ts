import { claimHeader } from "./claim-header.ts";
import { conclude } from "./conclude.ts";
import type { Installed } from "./credential-state.ts";
import { dispatchGrant } from "./dispatch-grant.ts";
import type { Engine, RefreshGoal } from "./engine.ts";
import { CredentialError } from "./errors.ts";
import { freshRejection } from "./fresh-rejection.ts";
import { ANSWER_LIMIT_MS, type Hold } from "./hold.ts";
import { sealingOf } from "./keep-answer.ts";
import { look, type StoredCredential } from "./look.ts";
import type { StarterStep } from "./next-starter.ts";
import { transient } from "./put-off.ts";
import type { SpendHeader } from "./spend-header.ts";
import { type ClaimedRecord, type FoundRecord, MIN_BODY_BYTES } from "./spend-ledger.ts";
import { standDown } from "./stand-down.ts";
import { custodyOf } from "./unpersisted.ts";

/** A refresh token is not sent with less than this left for the answer: cut short, it would be lost. */
const SHORTEST_ANSWER_MS = 15_000;

/** What a spending ends in. `relock`: the lock file was taken away under us. */
export type SpendEnd<C, V> = Installed<C, V> | "start-over" | "relock";

/** Steps 6 to 11: rehearses, claims, sends once, seals, saves. */
export async function spend<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
  stored: StoredCredential<C> & { readonly refreshToken: string },
  step: StarterStep & { readonly do: "claim" },
): Promise<SpendEnd<C, V>> {
  const nowMs = engine.clock.wallMs();
  const freshRejectionAtMs = freshRejection(engine.state, stored, nowMs);
  // The key is derived while the rehearsal waits for the disk.
  const [, sealing] = await Promise.all([rehearse(engine, stored), sealingOf(engine, stored)]);
  await engine.fault("rehearsed");

  const header = claimHeader(engine, goal, stored, step, nowMs);
  const bodyBytes = Math.max(MIN_BODY_BYTES, 4 * JSON.stringify(stored.entry).length);
  const claim = await engine.ledger.claim(header, { bodyBytes });
  if (!claim) return "start-over";
  hold.keepAlive();
  const refusal = await recheck(engine, hold, stored, claim, header);
  if (refusal !== undefined) return refusal;

  // The refresh token is spent from here on: finish and save, whoever is still waiting.
  const answer = await dispatchGrant(engine, hold, goal, stored);
  const receivedAtMs = engine.clock.wallMs();
  try {
    await engine.fault("answered");
    return await conclude(engine, hold, stored, {
      claim,
      header,
      answer,
      sealing,
      receivedAtMs,
      freshRejectionAtMs,
    });
  } catch (error) {
    // Whatever failed: a record that stays locked, and is not held for a reason, would stop everybody else.
    const { unpersisted } = engine.state;
    const isHeld = unpersisted !== undefined && custodyOf(unpersisted)?.claim === claim;
    if (!isHeld) claim.close();
    throw error;
  }
}

/** Rereads what the claim rests on. Whatever moved, nothing was sent, and the claim is given back. */
async function recheck<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C>,
  claim: ClaimedRecord,
  header: SpendHeader,
): Promise<"start-over" | "relock" | undefined> {
  let refusal: "start-over" | "relock" | CredentialError | undefined;
  try {
    await engine.fault("claimed");
    const again = await look(engine);
    if (hasMoved(stored, again, claim) || !claim.isIntact()) refusal = "start-over";
    await engine.fault("checked");
    // A login or logout of this process: nothing is spent for what has ended.
    if (engine.state.epoch !== hold.epoch) refusal = "start-over";
    if (engine.closing.aborted) refusal = closed();
    else if (hold.leftMs(ANSWER_LIMIT_MS) < SHORTEST_ANSWER_MS) {
      refusal = transient("slow-store", engine.clock.wallMs());
    }
    // Last, and without an await before the send: a machine that slept may have lost its lock.
    if (!hold.lock.isIntact()) refusal = "relock";
    else if (hold.hasDrifted()) refusal = "start-over";
    if (refusal === undefined) return undefined;
  } catch (error) {
    await standDown(engine.ledger, claim, header);
    throw error;
  }
  await standDown(engine.ledger, claim, header);
  if (refusal instanceof CredentialError) throw refusal;
  return refusal;
}

/** Whether the store shows something else now, or any attempt but ours is not as it was judged. */
function hasMoved<C>(
  judged: StoredCredential<C>,
  now: StoredCredential<C> | undefined,
  claim: ClaimedRecord,
): boolean {
  if (now?.marks.snapshotHash !== judged.marks.snapshotHash) return true;
  if (now.record?.attempt !== claim.attempt) return true;
  // Where records were removed since, numbers begin anew: one below ours may be a claim of the living.
  const known = judged.attempts.map(signOf);
  const others = now.attempts.filter(({ attempt }) => attempt !== claim.attempt).map(signOf);
  if (others.some((sign) => !known.includes(sign))) return true;
  return judged.record !== undefined && !others.includes(signOf(judged.record));
}

function signOf({ attempt, header, writtenAtMs }: FoundRecord): string {
  return JSON.stringify([attempt, header ?? writtenAtMs]);
}

async function rehearse<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<void> {
  const { entry } = stored;
  const members =
    typeof entry === "object" && entry !== null && !Array.isArray(entry) ? Object.entries(entry) : [];
  const padding = "x".repeat(Math.max(4096, JSON.stringify(entry).length));
  await engine.store.rehearse(engine.key, Object.fromEntries([...members, ["rehearsal", padding]]), {
    paddingBytes: padding.length,
    faultPoint: (name) => engine.fault(`rehearsal/${name}`),
  });
}

function closed(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CLOSED", "the session was closed before anything was sent");
}
