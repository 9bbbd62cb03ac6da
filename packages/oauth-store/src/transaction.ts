import { pause } from "./credential-clock.ts";
import type { Installed } from "./credential-state.ts";
import { isSame } from "./credential-state.ts";
import { type Engine, needOf, type RefreshGoal } from "./engine.ts";
import { CredentialError, isCredentialError } from "./errors.ts";
import { finish } from "./finish.ts";
import { Hold } from "./hold.ts";
import { look, type StoredCredential } from "./look.ts";
import { nextStarter, type StarterStep } from "./next-starter.ts";
import { superseded, transient } from "./put-off.ts";
import { hasMoved, repeatRefusal } from "./refusal.ts";
import { type SpendEnd, spend } from "./spend.ts";
import { penOf, readSealed, starterView } from "./starter-view.ts";
import { flushUnpersisted } from "./unpersisted.ts";
import { writeBack } from "./write-back.ts";

const LOCK_TIMEOUT_MS = 60_000;
const LONGEST_POLLING_MS = 60_000;
const POLL_MS = 100;
const MAX_ROUNDS = 3;

/**
 * One transaction: brings the credential to a generation that meets the goal, by adopting, finishing or spending.
 * `publish` is called once, with the lock still held; a throw means there is nothing to publish.
 */
export async function transact<C, V>(
  engine: Engine<C, V>,
  goal: RefreshGoal,
  publish: (installed: Installed<C, V>, epoch: number) => void,
): Promise<void> {
  const untilMs = engine.clock.monotonicMs() + LONGEST_POLLING_MS;
  for (;;) {
    const lock = await engine.ledger.lock({ timeoutMs: LOCK_TIMEOUT_MS, signal: engine.closing });
    const hold = new Hold(lock, engine.clock, engine.state.epoch);
    try {
      const end = await runRounds(engine, hold, goal);
      if (end !== "wait" && end !== "relock") {
        publish(end, hold.epoch);
        await engine.fault("published");
        return;
      }
    } finally {
      hold.end();
    }
    if (engine.clock.monotonicMs() >= untilMs) throw transient("in-progress", engine.clock.wallMs());
    // Whoever claimed it may live: the lock is theirs to take if they need it.
    await pause(engine.clock, POLL_MS * (0.5 + engine.random()));
  }
}

async function runRounds<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
): Promise<Installed<C, V> | "wait" | "relock"> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const end = await runRound(engine, hold, goal);
    if (end !== "start-over") return end;
    hold.rebase(engine.state.epoch);
  }
  throw transient("store-moves", engine.clock.wallMs());
}

async function runRound<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
): Promise<SpendEnd<C, V> | "wait"> {
  await engine.fault("locked");
  await flush(engine, hold);
  const stored = await look(engine);
  if (!stored || engine.state.isDisowned(stored.identity.lineage)) {
    // A login made here since the flush is on its way into the store.
    if (engine.state.unpersisted && !engine.state.signedOut) return "start-over";
    throw absent(engine);
  }
  const sealed = await readSealed(engine, stored);
  await engine.fault("judged");

  // A copy of a login that was logged out, restored: what this process still holds of it has ended too.
  if (isLoggedOut(stored) && engine.state.current?.identity.lineage === stored.identity.lineage) {
    engine.state.clear();
    engine.emit({ type: "loggedOut", elsewhere: true });
  }
  const newer = engine.state.newerThan(stored.identity);
  const isSealed = stored.record?.header?.state === "sealed";
  const isUnfinished = isSealed && sealed !== undefined;
  if (newer && !isUnfinished) {
    await writeBack(engine, hold, stored, newer);
    return "start-over";
  }
  // Where the lock excludes nobody, somebody may have finished it between its header and its body.
  const isSame = (again: typeof stored | undefined) =>
    JSON.stringify(again?.record) === JSON.stringify(stored.record);
  if (isSealed && !sealed && !isSame(await look(engine))) return "start-over";
  const step = nextStarter(await starterView(engine, stored, sealed));
  // A successor that is known comes before anything older is used, and a token that has one is never sent again.
  if (step.do === "finish" && sealed) {
    const done = await finish(engine, hold, stored, penOf(engine, stored), sealed);
    return done !== "start-over" && meets(engine, goal, done) ? done : "start-over";
  }
  if (step.do === "superseded") {
    // Where the lock excludes nobody, its successor may have come into the store since it was read.
    if (await hasMoved(engine, stored, 0)) return "start-over";
    throw superseded();
  }

  const mine = engine.state.prepare(stored.credential, stored.identity, stored.marks);
  if (meets(engine, goal, mine)) return mine;
  takeUp(engine, hold, goal, mine);
  return act(engine, hold, goal, stored, step);
}

/** What this process could not save comes first: nothing is judged or spent over it. */
async function flush<C, V>(engine: Engine<C, V>, hold: Hold): Promise<void> {
  try {
    await flushUnpersisted(engine, hold);
  } catch (error) {
    throw new CredentialError(
      "ERR_OAUTH_STORE_NOT_WRITABLE",
      "a newer credential of this process could not be saved yet, and nothing is spent before it is",
      { reason: isCredentialError(error) ? error.code : "unknown" },
    );
  }
}

/** Nothing stored will do: what the record says decides whether something is sent. */
async function act<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
  stored: StoredCredential<C>,
  step: StarterStep,
): Promise<SpendEnd<C, V> | "wait"> {
  const { refreshToken, record } = stored;
  if (refreshToken === undefined) {
    throw new CredentialError(
      "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
      "there is nothing to refresh this credential with; a login is needed",
      { reason: "no-refresh-token" },
    );
  }
  switch (step.do) {
    case "claim":
      return spend(engine, hold, goal, { ...stored, refreshToken }, step);
    case "wait":
      return "wait";
    case "defer":
      if (step.clamp && record?.header) {
        // Also that of a claim by a clock that was ahead: left in the time to come, it would make the new one none at all.
        const claimedAtMs = Math.min(record.header.claimedAtMs, engine.clock.wallMs());
        await engine.ledger.writeHeader(record, { ...record.header, claimedAtMs, nextAtMs: step.nextAtMs });
      }
      throw transient(step.code, step.nextAtMs);
    case "refuse":
      return repeatRefusal(engine, stored, step);
    case "held":
      throw new CredentialError(
        "ERR_OAUTH_STORE_HELD_ELSEWHERE",
        "another process has refreshed this credential and could not save it yet",
      );
    default:
      throw superseded();
  }
}

/** Whether a credential may be handed to those who wait: step 4's "adopt". */
function meets<C, V>(engine: Engine<C, V>, goal: RefreshGoal, installed: Installed<C, V>): boolean {
  const { identity } = installed;
  if (engine.state.isRejected(identity) || engine.state.newerThan(identity)) return false;
  if (goal.not && isSame(goal.not, identity)) return false;
  const need = needOf(engine, installed);
  return goal.reason === "expiry" ? need === "no" : need !== "now";
}

function isLoggedOut<C>({ note, identity }: StoredCredential<C>): boolean {
  return note?.loggedOutAtMs !== undefined && note.lineage === identity.lineage;
}

/** Takes up what is stored, valid and newer, before trying to better it: a failure then leaves us with that. */
function takeUp<C, V>(engine: Engine<C, V>, hold: Hold, goal: RefreshGoal, stored: Installed<C, V>): void {
  const { current, epoch } = engine.state;
  if (goal.reason !== "expiry" || engine.state.isRejected(stored.identity)) return;
  if (epoch !== hold.epoch || needOf(engine, stored) === "now") return;
  if (current === undefined || !isSame(current.identity, stored.identity)) engine.state.adopt(engine, stored);
}

function absent<C, V>(engine: Engine<C, V>): CredentialError {
  const isNews = engine.state.current !== undefined && !engine.state.signedOut;
  engine.state.clear();
  if (isNews) engine.emit({ type: "loggedOut", elsewhere: true });
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "there is no login", {
    reason: "absent",
  });
}
