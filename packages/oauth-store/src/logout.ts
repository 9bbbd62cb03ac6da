import { successorOf } from "./commit.ts";
import { countingRecord } from "./counting-record.ts";
import { later } from "./credential-clock.ts";
import type { LogoutReport } from "./credential-session.ts";
import type { Installed } from "./credential-state.ts";
import type { StoreRemoval } from "./credential-store.ts";
import type { Engine } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { validated } from "./finish.ts";
import { HOLD_LIMIT_MS, Hold } from "./hold.ts";
import { look, peek, type StoredCredential } from "./look.ts";
import { removeEntry } from "./remove-entry.ts";
import { openSealed } from "./sealed-answer.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { FoundRecord } from "./spend-ledger.ts";
import { custodyOf, isOvertaken, rebaseLogin } from "./unpersisted.ts";

const LOCK_TIMEOUT_MS = 60_000;
const LONGEST_CHAIN = 16;
const REVOKE_LIMIT_MS = 15_000;

/**
 * Removes the credential from the store and its sealed successors from the records, under the lock; then revokes the
 * newest credential known. `held` is what this process had until the moment of the logout.
 */
export async function logout<C, V>(
  engine: Engine<C, V>,
  held: Installed<C, V> | undefined,
  revoke: ((credential: C) => Promise<void>) | undefined,
): Promise<LogoutReport> {
  const { state } = engine;
  const { epoch } = state;
  const failures: { store: string; code: string }[] = [];
  let removed = false;
  let newest: C | undefined;
  let lineage: string | undefined = held?.identity.lineage;
  const attempt = async (store: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      failures.push({ store, code: isCredentialError(error) ? error.code : "unknown" });
    }
  };

  try {
    // Whose login it is must be known also when no lock can be had: it is that one which has ended here, no later one.
    lineage ??= (await peek(engine).catch(() => undefined))?.identity.lineage;
    const lock = await engine.ledger.lock({ timeoutMs: LOCK_TIMEOUT_MS, signal: engine.closing });
    const hold = new Hold(lock, engine.clock, state.epoch);
    hold.keepAlive();
    try {
      await engine.fault("locked");
      // A login made here since the logout was called is the later word: it is neither dropped nor removed.
      const unsaved = state.epoch === epoch ? await takeUnpersisted(engine) : undefined;
      // What cannot be read is removed all the same.
      const stored = await look(engine).catch(() => undefined);
      const saved = state.current?.identity.lineage;
      const isReplaced = state.epoch !== epoch && stored !== undefined && stored.identity.lineage === saved;
      if (isReplaced) {
        removed = held !== undefined;
        newest = held?.credential;
        await attempt("records", () => wipeBodies(engine, saved));
      } else {
        lineage = stored?.identity.lineage ?? lineage;
        newest = await newestOf(engine, stored, unsaved, held);
        await noteLogoutBegun(engine, lineage);
        await engine.fault("noted");
        await attempt(engine.store.name, async () => {
          const options = { lockTimeoutMs: hold.leftMs(HOLD_LIMIT_MS), quarantine: true };
          const removal = await removeStored(engine, options);
          removed = removal.removed;
          failures.push(...removal.failures);
        });
        // Whatever other places could not be cleared: where the login was, there is none any more.
        const isGone = failures.length === 0 || (await isEmpty(engine));
        if (isGone) rebaseLogin(engine, undefined);
        await engine.fault("removed");
        await attempt("records", () => wipeBodies(engine, undefined));
        if (isGone) await attempt("records", () => noteLogout(engine, lineage));
      }
    } finally {
      hold.end();
    }
  } catch (error) {
    state.endSignOut(lineage);
    throw error;
  }
  state.endSignOut(failures.length > 0 ? lineage : undefined);
  if (!revoke || newest === undefined) return { removed, failures };
  return { removed, failures, revoked: await isRevoked(engine, revoke, newest) };
}

/** A server that does not answer is not waited for for ever: the logout is done without it. */
async function isRevoked<C, V>(
  engine: Engine<C, V>,
  revoke: (credential: C) => Promise<void>,
  credential: C,
): Promise<boolean> {
  const { promise: tooLate, resolve } = Promise.withResolvers<boolean>();
  const stop = later(engine.clock, REVOKE_LIMIT_MS, () => resolve(false));
  try {
    const revoked = revoke(credential).then(() => true);
    return await Promise.race([revoked, tooLate]);
  } catch {
    return false; // Its text may hold what was sent.
  } finally {
    stop();
  }
}

async function isEmpty<C, V>({ store, key }: Engine<C, V>): Promise<boolean> {
  try {
    return (await store.read(key)) === undefined;
  } catch {
    return false; // Nothing tells.
  }
}

async function noteLogout<C, V>(
  { ledger, clock, owner }: Engine<C, V>,
  lineage: string | undefined,
): Promise<void> {
  await ledger.writeLineage({
    version: 1,
    lineage: lineage ?? "",
    loggedOutAtMs: clock.wallMs(),
    loggedOutBy: owner,
  });
}

/** Should this process end before it is over, what is gone was not removed by a stranger. */
async function noteLogoutBegun<C, V>(
  { ledger, clock, owner }: Engine<C, V>,
  lineage: string | undefined,
): Promise<void> {
  try {
    // One that another program has saved is noted by nobody.
    const unnoted = lineage === undefined ? undefined : { version: 1 as const, lineage };
    const note = (await ledger.readLineage()) ?? unnoted;
    if (note) await ledger.writeLineage({ ...note, logoutBegunAtMs: clock.wallMs(), loggedOutBy: owner });
  } catch {
    // For diagnosis only: a full disk does not keep anybody logged in.
  }
}

/** From the one place, or from all there are. */
async function removeStored<C, V>(
  engine: Engine<C, V>,
  options: { readonly lockTimeoutMs: number; readonly quarantine: boolean },
): Promise<StoreRemoval> {
  const { store, key } = engine;
  const stepwise = { ...options, faultPoint: (name: string) => engine.fault(name) };
  if (store.removeEverywhere) return store.removeEverywhere(key, stepwise);
  return { removed: await removeEntry(store, key, stepwise), failures: [] };
}

/** A credential of this process, and where it stands among the generations of its login. */
type Known<C> = Pick<Installed<C, unknown>, "credential" | "identity">;

/** What could not be saved is not saved any more. Undefined also for a login that another's has overtaken. */
async function takeUnpersisted<C, V>(engine: Engine<C, V>): Promise<Known<C> | undefined> {
  const { state } = engine;
  const waiting = state.unpersisted;
  if (!waiting) return undefined;
  const isOver = waiting.what === "login" && (await isOvertaken(engine, waiting).catch(() => false));
  // Only what this logout was called for; it may have been saved, or another login made, since it was looked at.
  if (state.unpersisted !== waiting) return undefined;
  state.unpersisted = undefined;
  custodyOf(waiting)?.close();
  if (isOver) return undefined;
  return waiting.what === "login"
    ? waiting.installed
    : successorOf(engine, waiting.plan, waiting.plan.base).installed;
}

/** The latest of the stored login, by its sealed successors and by what this process has of it. */
async function newestOf<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C> | undefined,
  unsaved: Known<C> | undefined,
  held: Known<C> | undefined,
): Promise<C | undefined> {
  if (unsaved?.identity.by === "login") return unsaved.credential;
  // A record that cannot be read keeps nobody logged in.
  let last: Known<C> | undefined = stored && (await lastOf(engine, stored).catch(() => stored));
  for (const known of [unsaved, held]) {
    if (!known) continue;
    const isSame = last?.identity.lineage === known.identity.lineage;
    if (!last || (isSame && known.identity.generation > last.identity.generation)) last = known;
  }
  return last?.credential;
}

async function lastOf<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<StoredCredential<C>> {
  let last = stored;
  for (let links = 0; links < LONGEST_CHAIN && last.record; links += 1) {
    const body = await engine.ledger.readBody(last.record);
    const answer = body && openSealed(engine, last, body);
    if (!answer || validated(engine.kind, last.credential, answer.json).outcome === "wrong-account") break;
    const plan = {
      base: last,
      answer: answer.json,
      receivedAtMs: answer.receivedAtMs,
      lifetimeMs: undefined,
    };
    const { entry, installed } = successorOf(engine, plan, last);
    const { credential, marks, identity } = installed;
    if (marks.fingerprint === undefined || marks.fingerprint === last.marks.fingerprint) break;
    const attempts = await engine.ledger.attempts(marks.fingerprint);
    last = {
      ...last,
      entry,
      credential,
      refreshToken: engine.kind.spendable(credential),
      marks,
      identity,
      attempts,
      record: countingRecord(attempts),
    };
  }
  return last;
}

/** After a logout nothing can be finished, but what is of the login that is `kept`: a sealed record is closed, and its refresh token is not sent again. */
async function wipeBodies<C, V>(engine: Engine<C, V>, kept: string | undefined): Promise<void> {
  for (const record of await engine.ledger.list()) {
    if (kept !== undefined && record.header?.lineage === kept) continue;
    // The header first: sealed over a body that is gone would have the refresh token sent again.
    if (record.header && (await isAnswered(engine, record, record.header))) {
      await engine.ledger.writeHeader(record, {
        ...record.header,
        state: "settled",
        outcomeCode: "logged-out",
      });
    }
    await engine.ledger.wipeBody(record);
  }
}

/** Whether there is an answer in it, also one whose receiver died before it could say so. */
async function isAnswered<C, V>(
  { ledger }: Engine<C, V>,
  record: FoundRecord,
  { state }: SpendHeader,
): Promise<boolean> {
  if (state !== "claimed") return state === "sealed";
  if ((await ledger.ownerOf(record)) === "alive") return false;
  return (await ledger.readBody(record))?.some((byte) => byte !== 0) ?? false;
}
