import { type CommitPlan, type CommitResult, commitSuccessor, successorOf } from "./commit.ts";
import type { AnswerVerdict, CredentialKind, JsonValue } from "./credential-kind.ts";
import type { Installed } from "./credential-state.ts";
import type { Engine } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { HOLD_LIMIT_MS, type Hold } from "./hold.ts";
import type { StoredCredential } from "./look.ts";
import { putOff, superseded, transient } from "./put-off.ts";
import type { RecordPen } from "./record-pen.ts";
import { hasMoved, WRONG_ACCOUNT, wrongAccount } from "./refusal.ts";
import type { SealedAnswer } from "./sealed-answer.ts";
import { settleRecord } from "./settle-record.ts";
import { nextAttemptAtMs } from "./spend-backoff.ts";
import { MIN_BODY_BYTES } from "./spend-ledger.ts";
import type { Unpersisted } from "./unpersisted.ts";

/** What the kind says of an answer; a kind that throws cannot use it. */
export function validated<C, V>(kind: CredentialKind<C, V>, previous: C, answer: JsonValue): AnswerVerdict {
  try {
    return kind.validate(previous, answer);
  } catch {
    return { outcome: "unusable", code: "invalid" };
  }
}

/** Whether there is a refresh token in an answer. */
export function bringsSuccessor<C, V>(kind: CredentialKind<C, V>, answer: JsonValue): boolean {
  try {
    return kind.successorOf(answer) !== undefined;
  } catch {
    return false; // A kind that cannot read it cannot use it.
  }
}

/**
 * Steps 10 and 11: validates an answer, saves what follows from it, settles its record. Resolves with what is to be
 * published, also when it could not be saved, or with `"start-over"` when the store has moved on.
 */
export async function finish<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C>,
  pen: RecordPen,
  answer: SealedAnswer,
): Promise<Installed<C, V> | "start-over"> {
  const { kind, clock } = engine;
  const verdict = validated(kind, stored.credential, answer.json);
  if (verdict.outcome === "wrong-account") return wrongOwner(engine, stored, pen);
  if (verdict.outcome === "unusable") {
    // A new refresh token that the kind cannot judge now stays sealed: its predecessor is not sent again.
    const isKept = pen.header.state === "sealed" && bringsSuccessor(kind, answer.json);
    if (isKept) throw transient(verdict.code, clock.wallMs());
    return failed(engine, stored, pen, { state: "unknown", code: verdict.code });
  }

  const repeated = isRepeated(engine, stored, pen, answer);
  const expired = verdict.outcome === "refresh-token-only" || repeated;
  const plan: CommitPlan<C> = {
    base: stored,
    answer: answer.json,
    receivedAtMs: answer.receivedAtMs,
    lifetimeMs: verdict.outcome === "usable" && !repeated ? verdict.lifetimeMs : 0,
    freshRejectionAtMs: answer.freshRejectionAtMs,
  };
  if (isSaved(stored, pen)) {
    await settleRecord(engine, pen, plan, "outdated");
    return "start-over";
  }
  const next = successorOf(engine, plan, stored);
  const code = verdict.outcome === "refresh-token-only" ? verdict.code : "no-progress";
  if (!isProgress(engine, stored, pen, plan, next.installed.credential)) {
    return failed(engine, stored, pen, { state: "deferred", code });
  }

  let result: CommitResult<C, V>;
  try {
    result = await commitSuccessor(engine, plan, hold.leftMs(HOLD_LIMIT_MS));
  } catch (error) {
    if (engine.state.epoch !== hold.epoch) {
      putBehind(engine, { what: "successor", plan, pen });
      return "start-over";
    }
    // The successor is in the record, or held by this process: it is good, and saved by whoever comes first.
    engine.state.unpersisted = { what: "successor", plan, pen };
    engine.keepSaving();
    if (expired) engine.state.replace(engine, next.installed);
    // Last: whoever listens may log out at once.
    engine.emit({ type: "unpersisted", code: isCredentialError(error) ? error.code : "unknown" });
    if (expired) throw transient(code, clock.wallMs());
    return { ...next.installed, news: "refreshed" };
  }
  await engine.fault("committed");
  const retryAtMs =
    expired && result.done === "committed"
      ? await deferSuccessor(engine, pen, result.installed, code)
      : undefined;
  if (result.done === "replaced" && result.wentBack && pen.claim !== undefined) {
    // Nowhere but here, and the latest of this login: from here it is written back over what was restored.
    if (engine.state.epoch === hold.epoch) engine.state.replace(engine, next.installed);
  }
  await settleRecord(engine, pen, plan, result.done);
  if (result.done !== "committed") return "start-over";
  if (retryAtMs === undefined) {
    return { ...result.installed, news: pen.header.state === "settled" ? "restored" : "refreshed" };
  }
  // A good refresh token beside a bad access token: saved, and a failure all the same.
  if (engine.state.epoch === hold.epoch) engine.state.replace(engine, result.installed);
  engine.emit({ type: "deferred", code, retryAtMs });
  throw transient(code, retryAtMs);
}

/** A login or logout was made here since: theirs is the later word, but until it is in the store this is kept. */
function putBehind<C, V>(engine: Engine<C, V>, successor: Unpersisted<C, V> & { what: "successor" }): void {
  const { unpersisted, signedOut } = engine.state;
  // The logout takes it, to revoke it.
  if (!unpersisted && signedOut) engine.state.unpersisted = successor;
  else if (unpersisted?.what === "login" && !unpersisted.instead) unpersisted.instead = successor;
  else successor.pen.close();
}

/** A settled record never becomes one that may be spent again. */
async function failed<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
  outcome: { readonly state: "unknown" | "deferred"; readonly code: string },
): Promise<"start-over"> {
  if (pen.header.state !== "settled") throw await putOff(engine, pen, outcome);
  if (await hasMoved(engine, stored, 0)) return "start-over";
  throw superseded();
}

/** The refresh token goes on, and what is stored has come of this very attempt, or of a later one. */
function isSaved<C>({ identity }: StoredCredential<C>, { header }: RecordPen): boolean {
  return header.lineage === identity.lineage && header.generation < identity.generation;
}

/** The access token that was rejected, issued once more: its new refresh token is kept, and it is not sent again. */
function isRepeated<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
  { json, receivedAtMs }: SealedAnswer,
): boolean {
  if (pen.header.reason !== "rejected") return false;
  const next = engine.kind.merge(stored.credential, json, { receivedAtMs, expired: false });
  return engine.kind.bearer(next) === engine.kind.bearer(stored.credential);
}

/** The same tokens again are no progress; a longer life of the same access token is, unless it was rejected. */
function isProgress<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
  plan: CommitPlan<C>,
  next: C,
): boolean {
  const successor = engine.kind.successorOf(plan.answer);
  if (successor !== undefined && successor !== stored.refreshToken) return true;
  if (plan.lifetimeMs === 0) return false;
  if (engine.kind.bearer(next) !== engine.kind.bearer(stored.credential)) return true;
  return pen.header.reason === "expiry" && plan.lifetimeMs !== undefined;
}

/** The back-off of a refresh token that came beside something unusable. */
async function deferSuccessor<C, V>(
  engine: Engine<C, V>,
  pen: RecordPen,
  installed: Installed<C, V>,
  code: string,
): Promise<number> {
  const { fingerprint, snapshotHash } = installed.marks;
  const failures = pen.header.failures + 1;
  const nowMs = engine.clock.wallMs();
  const nextAtMs = nextAttemptAtMs({ nowMs, failures, random: engine.random() });
  if (fingerprint === undefined) return nextAtMs;
  const { lineage, generation } = installed.identity;
  const header = {
    ...pen.header,
    fingerprint,
    state: "deferred" as const,
    attempt: 1,
    claimedAtMs: nowMs,
    nextAtMs,
    failures,
    uncertain: false,
    outcomeCode: code,
    correlationId: undefined,
    lineage,
    generation,
    snapshotHash,
  };
  try {
    (await engine.ledger.claim(header, { bodyBytes: MIN_BODY_BYTES }))?.close();
  } catch {
    // The refresh token is saved; without its record the next starter only comes sooner.
  }
  return nextAtMs;
}

async function wrongOwner<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
): Promise<"start-over"> {
  try {
    // What is sealed stays sealed, also by a receiver that died before it could say so. What was not is given up, so
    // that it is not asked for again.
    const { state: found } = pen.header;
    const state = found === "held" ? "refused" : found === "claimed" ? "sealed" : found;
    if (pen.header.outcomeCode !== WRONG_ACCOUNT) {
      await pen.write({ ...pen.header, state, outcomeCode: WRONG_ACCOUNT });
    }
  } catch {
    // It is sealed as it is, and judged the same by whoever opens it.
  } finally {
    pen.close();
  }
  if (await hasMoved(engine, stored, 0)) return "start-over";
  throw wrongAccount(engine);
}
