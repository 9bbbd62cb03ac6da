import { classifyAnswer } from "./classify-answer.ts";
import type { JsonValue } from "./credential-kind.ts";
import type { Installed } from "./credential-state.ts";
import type { Engine, RefreshGoal } from "./engine.ts";
import { CredentialError, printable } from "./errors.ts";
import { finish, MIN_BODY_BYTES, putOff, type SealedAnswer, transient, validated } from "./finish.ts";
import { ANSWER_LIMIT_MS, type Hold } from "./hold.ts";
import { look, type StoredCredential } from "./look.ts";
import type { StarterStep } from "./next-starter.ts";
import { penOfClaim, penOfRecord, type RecordPen } from "./record-pen.ts";
import type { RefreshGrantAnswer } from "./refresh-grant.ts";
import { MIN_SEALING_LENGTH, seal } from "./seal.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord } from "./spend-ledger.ts";
import { standDown } from "./stand-down.ts";

/** A grant that ignores its signal is not waited for longer than this past the limit. */
const GRACE_MS = 250;
const FOREIGN_COMMIT_MS = 6000;
const FOREIGN_POLL_MS = 250;

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
  const freshRejectionAtMs = freshRejection(goal, stored, nowMs);
  await rehearse(engine, stored);
  await engine.fault("rehearsed");

  const header = claimHeader(engine, goal, stored, step, nowMs);
  const bodyBytes = Math.max(MIN_BODY_BYTES, 4 * JSON.stringify(stored.entry).length);
  const claim = await engine.ledger.claim(header, { bodyBytes });
  if (!claim) return "start-over";
  hold.keepAlive();
  const refusal = await recheck(engine, hold, stored, claim);
  if (refusal !== undefined) return refusal;

  // The refresh token is spent from here on: finish and save, whoever is still waiting.
  const answer = await dispatch(engine, hold, goal, stored);
  const receivedAtMs = engine.clock.wallMs();
  await engine.fault("answered");
  return conclude(engine, hold, stored, { claim, header, answer, receivedAtMs, freshRejectionAtMs });
}

/** Rereads what the claim rests on. Whatever moved, nothing was sent, and the claim is given back. */
async function recheck<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C>,
  claim: ClaimedRecord,
): Promise<"start-over" | "relock" | undefined> {
  let refusal: "start-over" | "relock" | CredentialError | undefined;
  try {
    await engine.fault("claimed");
    const again = await look(engine);
    const moved =
      again?.marks.snapshotHash !== stored.marks.snapshotHash || again.record?.attempt !== claim.attempt;
    if (moved || !claim.isIntact()) refusal = "start-over";
    await engine.fault("checked");
    if (engine.closing.aborted) refusal = closed();
    else if (hold.leftMs(ANSWER_LIMIT_MS) === 0) refusal = transient("slow-store", engine.clock.wallMs());
    // Last, and without an await before the send: a machine that slept may have lost its lock.
    if (!hold.lock.isIntact()) refusal = "relock";
    else if (hold.hasDrifted()) refusal = "start-over";
    if (refusal === undefined) return undefined;
  } catch (error) {
    await standDown(claim);
    throw error;
  }
  await standDown(claim);
  if (refusal instanceof CredentialError) throw refusal;
  return refusal;
}

async function dispatch<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
  stored: StoredCredential<C> & { readonly refreshToken: string },
): Promise<RefreshGrantAnswer> {
  const { credential, refreshToken, note, identity } = stored;
  const controller = new AbortController();
  const { promise: tooLate, resolve: giveUp } = Promise.withResolvers<RefreshGrantAnswer>();
  const leftMs = hold.leftMs(ANSWER_LIMIT_MS);
  const abort = setTimeout(() => controller.abort(), leftMs);
  const leave = setTimeout(() => giveUp({ sent: "unknown", code: "timeout" }), leftMs + GRACE_MS);
  try {
    const sent = engine.grant({
      credential,
      refreshToken,
      reason: goal.reason,
      pins: note?.lineage === identity.lineage ? (note.pins ?? {}) : {},
      signal: controller.signal,
    });
    return await Promise.race([sent, tooLate]);
  } catch {
    return { sent: "unknown", code: "grant-threw" }; // Its text may hold what was sent.
  } finally {
    clearTimeout(abort);
    clearTimeout(leave);
  }
}

interface Attempt {
  readonly claim: ClaimedRecord;
  readonly header: SpendHeader;
  readonly answer: RefreshGrantAnswer;
  readonly receivedAtMs: number;
  readonly freshRejectionAtMs: number | undefined;
}

async function conclude<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C> & { readonly refreshToken: string },
  attempt: Attempt,
): Promise<SpendEnd<C, V>> {
  const { claim, header, answer, receivedAtMs, freshRejectionAtMs } = attempt;
  const pen = penOfClaim(claim, header);
  const said = classifyAnswer(answer, engine.kind);
  const { retryAtMs } = answer;
  const correlationId = answer.sent === "yes" ? shownCorrelation(answer.correlationId, stored) : undefined;
  if (said.is === "refused") return refuse(engine, stored, pen, said.code, correlationId);
  if (said.is !== "answered") {
    throw await putOff(engine, pen, { state: said.is, code: said.code, retryAtMs, correlationId });
  }
  if (isEmpty(engine, stored, said.json)) {
    throw await putOff(engine, pen, { state: "unknown", code: "no-tokens", retryAtMs, correlationId });
  }
  const sealedPen = await keep(engine, stored, claim, { ...header, receivedAtMs, correlationId }, said.text);
  await engine.fault("sealed");
  const sealed: SealedAnswer = { json: said.json, receivedAtMs, freshRejectionAtMs };
  return finish(engine, hold, stored, sealedPen, sealed);
}

/** For a person who asks the server's operator. A server that echoes what was sent is not quoted. */
function shownCorrelation(
  id: string | undefined,
  stored: { readonly refreshToken: string },
): string | undefined {
  if (id === undefined || id.includes(stored.refreshToken) || stored.refreshToken.includes(id))
    return undefined;
  return printable(id);
}

/** A 2xx without anything to keep. Whether a refresh token is in it is asked before anything is judged. */
function isEmpty<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>, json: JsonValue): boolean {
  try {
    if (engine.kind.successorOf(json) !== undefined) return false;
  } catch {
    return true; // A kind that cannot read it cannot use it.
  }
  const { outcome } = validated(engine.kind, stored.credential, json);
  return outcome === "unusable" || outcome === "refresh-token-only";
}

/** Step 9: seals the answer; where that cannot be, this process holds it, and keeps the record locked. */
async function keep<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C> & { readonly refreshToken: string },
  claim: ClaimedRecord,
  header: SpendHeader,
  text: string,
): Promise<RecordPen> {
  const { refreshToken, credential, identity } = stored;
  const sealed: SpendHeader = { ...header, state: "sealed" };
  if (refreshToken.length >= MIN_SEALING_LENGTH) {
    const plain = Buffer.from(JSON.stringify({ receivedAtMs: header.receivedAtMs, answer: text }));
    const body = seal(plain, refreshToken, {
      storeKey: engine.key,
      issuer: engine.kind.issuer(credential),
      client: engine.kind.client(credential),
      lineage: identity.lineage,
      fingerprint: claim.fingerprint,
    });
    try {
      await claim.seal(sealed, body);
      claim.close();
      return penOfRecord(engine.ledger, claim, sealed);
    } catch {
      // Not sealed: from here on the answer lives in this process only.
    }
  } else engine.emit({ type: "unsealed", code: "short-refresh-token" });
  const held: SpendHeader = { ...header, state: "held" };
  try {
    await claim.write(held);
  } catch {
    // It still says claimed, and stays locked: nobody sends anything while we live.
  }
  return penOfClaim(claim, held);
}

/** The authorization server's word. It is believed only for what the store still holds. */
async function refuse<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
  code: string,
  correlationId: string | undefined,
): Promise<"start-over"> {
  try {
    await pen.write({ ...pen.header, state: "refused", outcomeCode: code, correlationId });
    await engine.fault("outcome-written");
  } catch {
    // Then the next starter asks once more and is told the same.
  } finally {
    pen.close();
  }
  if (await hasMoved(engine, stored)) return "start-over";
  throw refusal(engine, code, pen.header.uncertain && code !== "invalid_client");
}

/** Says that a login has ended, and tells the listeners. */
export function refusal<C, V>(
  engine: Pick<Engine<C, V>, "emit">,
  code: string,
  interrupted: boolean,
): CredentialError {
  engine.emit({ type: interrupted ? "interrupted" : "refused", code });
  return interrupted
    ? new CredentialError(
        "ERR_OAUTH_STORE_INTERRUPTED",
        "an earlier refresh was interrupted: its answer never arrived, and the server refused to repeat it; a login is needed",
        { reason: code },
      )
    : new CredentialError(
        "ERR_OAUTH_STORE_REFUSED",
        "the authorization server refused the refresh token; a login is needed",
        { reason: code },
      );
}

/** A writer without our lock may have spent the same refresh token and be about to save what it got. */
async function hasMoved<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<boolean> {
  const { clock } = engine;
  const untilMs = clock.monotonicMs() + (engine.foreignWriters ? FOREIGN_COMMIT_MS : 0);
  for (;;) {
    const now = await look(engine).catch(() => stored); // Half a file of that writer: look again.
    if (now?.marks.fingerprint !== stored.marks.fingerprint) return true;
    if (clock.monotonicMs() >= untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, FOREIGN_POLL_MS));
  }
}

async function rehearse<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<void> {
  const { entry } = stored;
  const members =
    typeof entry === "object" && entry !== null && !Array.isArray(entry) ? Object.entries(entry) : [];
  const padding = "x".repeat(Math.max(4096, JSON.stringify(entry).length));
  await engine.store.rehearse(engine.key, Object.fromEntries([...members, ["rehearsal", padding]]));
}

function claimHeader<C, V>(
  engine: Engine<C, V>,
  goal: RefreshGoal,
  stored: StoredCredential<C>,
  step: StarterStep & { readonly do: "claim" },
  nowMs: number,
): SpendHeader {
  const { attempt, failures, uncertain } = step;
  const { lineage, generation } = stored.identity;
  return {
    version: 1,
    fingerprint: stored.marks.fingerprint ?? "",
    state: "claimed",
    attempt,
    reason: goal.reason,
    claimedAtMs: nowMs,
    leaseUntilMs: nowMs + LEASE_MS,
    failures,
    uncertain,
    lineage,
    generation,
    snapshotHash: stored.marks.snapshotHash,
    clientHash: stored.clientHash,
    owner: engine.owner,
  };
}

const FRESH_MS = 10_000;
const FRESH_REJECTIONS_APART_MS = 60_000;

/**
 * A token rejected within 10 s of the refresh that brought it may be refreshed once a minute: a server that rejects
 * what it issues would otherwise be asked without end.
 */
function freshRejection<C>(
  goal: RefreshGoal,
  stored: StoredCredential<C>,
  nowMs: number,
): number | undefined {
  const { by, receivedAtMs, lineage } = stored.identity;
  if (goal.reason !== "rejected" || by !== "refresh" || receivedAtMs === undefined) return undefined;
  const rejectedAfterMs = (goal.rejectedAtMs ?? nowMs) - receivedAtMs;
  if (rejectedAfterMs < 0 || rejectedAfterMs > FRESH_MS) return undefined;
  const lastAtMs = stored.note?.lineage === lineage ? stored.note.freshRejectionAtMs : undefined;
  if (lastAtMs !== undefined && lastAtMs <= nowMs && nowMs - lastAtMs < FRESH_REJECTIONS_APART_MS) {
    throw new CredentialError(
      "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED",
      "the server rejects access tokens that were issued a moment ago",
      { retryAtMs: lastAtMs + FRESH_REJECTIONS_APART_MS },
    );
  }
  return nowMs;
}

function closed(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CLOSED", "the session was closed before anything was sent");
}
