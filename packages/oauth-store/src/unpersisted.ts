import { type CommitPlan, commitSuccessor, noted } from "./commit.ts";
import type { JsonValue } from "./credential-kind.ts";
import { type Installed, isSame } from "./credential-state.ts";
import type { Engine } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { forgetSpending } from "./forget-spending.ts";
import { HOLD_LIMIT_MS, type Hold } from "./hold.ts";
import { identify } from "./identify.ts";
import { type LineageNote, type NotedLogin, notedLogin } from "./lineage-note.ts";
import { look, marksOf, parseEntry } from "./look.ts";
import type { RecordPen } from "./record-pen.ts";
import { settleRecord } from "./settle-record.ts";

interface Successor<C> {
  readonly what: "successor";
  readonly plan: CommitPlan<C>;
  /** Keeps the record locked when the successor is nowhere but here. */
  readonly pen: RecordPen;
}

/**
 * What a login may be put over: one of these lineages, undefined standing for an empty store. `unnoted`: nobody had
 * noted a login yet, and more could not be told.
 */
export type LoginBase = { readonly lineages: readonly (string | undefined)[] } | "unnoted" | "anything";

/** A credential that this process has and the store has not. */
export type Unpersisted<C, V> =
  | Successor<C>
  | {
      readonly what: "login";
      readonly installed: Installed<C, V>;
      readonly pins: Readonly<Record<string, string>> | undefined;
      /** What was stored when the login was made, as far as that could be told. */
      base: Promise<LoginBase>;
      /** What it may be put over: anything at first, later only the base. */
      over: LoginBase;
      /** What it came before: until the login is saved, the store may still have what that was got for. */
      instead?: Successor<C> | undefined;
    };

/** Whether it ends with this process: nothing is sealed. */
export function isOnlyHere<C, V>(waiting: Unpersisted<C, V>): boolean {
  return waiting.what === "login" || waiting.pen.claim !== undefined;
}

/** The record that this process keeps locked for something that is nowhere but here. */
export function custodyOf<C, V>(waiting: Unpersisted<C, V>): RecordPen | undefined {
  return (waiting.what === "successor" ? waiting : waiting.instead)?.pen;
}

/**
 * Saves what this process could not save before, as a compare-and-swap: a login or logout made meanwhile wins.
 * Throws when it still cannot be saved.
 */
export async function flushUnpersisted<C, V>(engine: Engine<C, V>, hold: Hold): Promise<void> {
  const waiting = engine.state.unpersisted;
  if (!waiting) return;
  if (waiting.what === "successor") await flushSuccessor(engine, hold, waiting);
  else await flushLogin(engine, hold, waiting);
}

async function flushSuccessor<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  waiting: Unpersisted<C, V> & { what: "successor" },
): Promise<void> {
  const { plan, pen } = waiting;
  const result = await commitSuccessor(engine, plan, hold.leftMs(HOLD_LIMIT_MS));
  await engine.fault("committed");
  await settleRecord(engine, pen, plan, result.done);
  // A login or logout of this process may have dropped it meanwhile.
  if (engine.state.unpersisted !== waiting) return;
  engine.state.unpersisted = undefined;
  if (result.done !== "committed") return;
  const { installed } = result;
  // What was merged with the store's own changes is what we hold from now on, under the same handle.
  const { current } = engine.state;
  if (current && isSame(current.identity, installed.identity)) {
    engine.state.install({ ...installed, handle: current.handle });
  }
  const { lineage, generation } = installed.identity;
  engine.emit({ type: "persisted", lineage, generation });
}

async function flushLogin<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  waiting: Unpersisted<C, V> & { what: "login" },
): Promise<void> {
  const { installed, pins } = waiting;
  const { lineage, generation } = installed.identity;
  if (await isOvertaken(engine, waiting)) {
    await endLogin(engine, waiting);
    return;
  }
  await forgetSpending(engine, installed.marks.fingerprint);
  const note: LineageNote = {
    version: 1,
    lineage,
    current: noted(installed.identity, installed.marks),
    pins,
  };
  await engine.store.update(
    engine.key,
    async (current) => {
      // Should this process end before the save, what is stored keeps its name and its pins.
      await engine.ledger.writeLineage({ ...note, before: await notedBefore(engine, lineage, current) });
      await engine.fault("noted");
      return { write: engine.kind.serialize(installed.credential) };
    },
    {
      lockTimeoutMs: hold.leftMs(HOLD_LIMIT_MS),
      quarantine: true,
      faultPoint: (name) => engine.fault(name),
    },
  );
  await endLogin(engine, waiting);
  rebaseLogin(engine, lineage);
  engine.emit({ type: "persisted", lineage, generation });
  try {
    await engine.ledger.writeLineage(note);
  } catch {
    // It names one login more than it needs to, until the next save.
  }
}

/** What is noted of the login that a new one takes the place of; `null` when the store has none. */
async function notedBefore<C, V>(
  engine: Engine<C, V>,
  lineage: string,
  current: JsonValue | undefined,
): Promise<NotedLogin | null> {
  if (current === undefined) return null;
  const note = await engine.ledger.readLineage();
  if (!note) return null;
  // Not the last that was noted, where that was not saved: by ourselves, or by somebody who ended.
  const login =
    notedLogin(note, lineageOf(engine, current, note) ?? "") ??
    (note.lineage === lineage ? note.before : note);
  if (!login) return null;
  const { current: now, previous, pins, freshRejectionAtMs } = login;
  return { lineage: login.lineage, current: now, previous, pins, freshRejectionAtMs };
}

function lineageOf<C, V>(engine: Engine<C, V>, entry: JsonValue, note: LineageNote): string | undefined {
  try {
    const marks = marksOf(engine, parseEntry(engine, entry), entry);
    return identify(engine.key, marks, note, undefined).lineage;
  } catch {
    return undefined; // What cannot be read is written over by a login all the same.
  }
}

/** Whether somebody has logged in or out since, whose later word it is. */
export async function isOvertaken<C, V>(
  engine: Engine<C, V>,
  { installed, over }: Unpersisted<C, V> & { what: "login" },
): Promise<boolean> {
  if (over === "anything") return false;
  if (over !== "unnoted") {
    try {
      return !over.lineages.includes((await look(engine))?.identity.lineage);
    } catch (error) {
      // Nobody has logged in over what cannot be read: it is moved aside, as it would have been at once.
      if (!isCredentialError(error) || error.code !== "ERR_OAUTH_STORE_CORRUPT") throw error;
    }
  }
  const note = await engine.ledger.readLineage();
  const expected = over === "unnoted" ? [] : over.lineages;
  return note !== undefined && ![installed.identity.lineage, ...expected].includes(note.lineage);
}

/** What this session itself has put into the store, or taken out of it, is what its later login comes over. */
export function rebaseLogin<C, V>({ state }: Engine<C, V>, lineage: string | undefined): void {
  const { unpersisted } = state;
  if (unpersisted?.what !== "login") return;
  const base = { lineages: [lineage] };
  unpersisted.base = Promise.resolve(base);
  if (unpersisted.over !== "anything") unpersisted.over = base;
}

/** What was held besides has left the store now: it is not sent again, and need not be kept. */
async function endLogin<C, V>(
  engine: Engine<C, V>,
  waiting: Unpersisted<C, V> & { what: "login" },
): Promise<void> {
  if (engine.state.unpersisted === waiting) engine.state.unpersisted = undefined;
  const { instead } = waiting;
  if (instead?.pen.claim) await settleRecord(engine, instead.pen, instead.plan, "replaced");
}
