import { successorOf } from "./commit.ts";
import { countingRecord } from "./counting-record.ts";
import type { LogoutReport } from "./credential-session.ts";
import type { Installed } from "./credential-state.ts";
import type { StoreRemoval } from "./credential-store.ts";
import type { Engine } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { HOLD_LIMIT_MS, Hold } from "./hold.ts";
import { look, type StoredCredential } from "./look.ts";
import { removeEntry } from "./remove-entry.ts";
import { openSealed } from "./sealed-answer.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { FoundRecord } from "./spend-ledger.ts";
import { custodyOf } from "./unpersisted.ts";

const LOCK_TIMEOUT_MS = 60_000;
const LONGEST_CHAIN = 16;

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
    const lock = await engine.ledger.lock({ timeoutMs: LOCK_TIMEOUT_MS, signal: engine.closing });
    const hold = new Hold(lock, engine.clock, state.epoch);
    hold.keepAlive();
    try {
      await engine.fault("locked");
      // A login made here since the logout was called is the later word: it is neither dropped nor removed.
      const unsaved = state.epoch === epoch ? takeUnpersisted(engine) : undefined;
      // What cannot be read is removed all the same.
      const stored = await look(engine).catch(() => undefined);
      const isSaved = stored !== undefined && stored.identity.lineage === state.current?.identity.lineage;
      if (state.epoch !== epoch && isSaved) return { removed: held !== undefined, failures };
      lineage = stored?.identity.lineage ?? lineage;
      newest = unsaved ?? (stored && (await newestOf(engine, stored, held))) ?? held?.credential;
      await attempt(engine.store.name, async () => {
        const options = { lockTimeoutMs: hold.leftMs(HOLD_LIMIT_MS), quarantine: true };
        const removal = await removeStored(engine, options);
        removed = removal.removed;
        failures.push(...removal.failures);
      });
      await engine.fault("removed");
      await attempt("records", () => wipeBodies(engine));
      if (failures.length === 0) {
        const loggedOutAtMs = engine.clock.wallMs();
        await attempt("records", () =>
          engine.ledger.writeLineage({
            version: 1,
            lineage: lineage ?? "",
            loggedOutAtMs,
            loggedOutBy: engine.owner,
          }),
        );
      }
    } finally {
      hold.end();
    }
  } catch (error) {
    state.endSignOut({ lineage });
    throw error;
  }
  state.endSignOut(failures.length > 0 ? { lineage } : undefined);
  engine.emit({ type: "loggedOut", elsewhere: false });
  if (!revoke || newest === undefined) return { removed, failures };
  const revoked = await revoke(newest).then(
    () => true,
    () => false,
  );
  return { removed, failures, revoked };
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

/** What could not be saved is not saved any more. */
function takeUnpersisted<C, V>(engine: Engine<C, V>): C | undefined {
  const { state, kind } = engine;
  const waiting = state.unpersisted;
  state.unpersisted = undefined;
  if (!waiting) return undefined;
  custodyOf(waiting)?.close();
  if (waiting.what === "login") return waiting.installed.credential;
  const { base, answer, receivedAtMs } = waiting.plan;
  return kind.merge(base.credential, answer, { receivedAtMs, expired: false });
}

/** Follows the sealed successors from what is stored; what this process held may be later still. */
async function newestOf<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  held: Installed<C, V> | undefined,
): Promise<C> {
  let last = stored;
  for (let links = 0; links < LONGEST_CHAIN && last.record; links += 1) {
    const body = await engine.ledger.readBody(last.record);
    const answer = body && openSealed(engine, last, body);
    if (!answer) break;
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
  const isLater =
    held?.identity.lineage === last.identity.lineage && held.identity.generation > last.identity.generation;
  return isLater ? held.credential : last.credential;
}

/** After a logout nothing can be finished: a sealed record is closed, and its refresh token is not sent again. */
async function wipeBodies<C, V>(engine: Engine<C, V>): Promise<void> {
  for (const record of await engine.ledger.list()) {
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
