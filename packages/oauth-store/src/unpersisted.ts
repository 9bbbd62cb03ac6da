import { type CommitPlan, commitSuccessor, noted } from "./commit.ts";
import { type Installed, isSame } from "./credential-state.ts";
import type { Engine } from "./engine.ts";
import { HOLD_LIMIT_MS, type Hold } from "./hold.ts";
import { look } from "./look.ts";
import type { RecordPen } from "./record-pen.ts";
import { settleRecord } from "./settle-record.ts";

interface Successor<C> {
  readonly what: "successor";
  readonly plan: CommitPlan<C>;
  /** Keeps the record locked when the successor is nowhere but here. */
  readonly pen: RecordPen;
}

/** What a login may be put over. `unnoted`: nobody had noted a login yet, and more could not be told. */
export type LoginBase = { readonly lineage: string | undefined } | "unnoted" | "anything";

/** A credential that this process has and the store has not. */
export type Unpersisted<C, V> =
  | Successor<C>
  | {
      readonly what: "login";
      readonly installed: Installed<C, V>;
      readonly pins: Readonly<Record<string, string>> | undefined;
      /** What was stored when the login was made, as far as that could be told. */
      readonly base: Promise<LoginBase>;
      /** What it may be put over: anything at first, later only the base. */
      readonly over: LoginBase;
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
    // Somebody logged in or out since: theirs is the later word.
    await endLogin(engine, waiting);
    return;
  }
  await forgetSpending(engine, installed.marks.fingerprint);
  await engine.store.update(
    engine.key,
    async () => {
      await engine.ledger.writeLineage({
        version: 1,
        lineage,
        current: noted(installed.identity, installed.marks),
        pins,
      });
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
  engine.emit({ type: "persisted", lineage, generation });
}

async function isOvertaken<C, V>(
  engine: Engine<C, V>,
  { installed, over }: Unpersisted<C, V> & { what: "login" },
): Promise<boolean> {
  if (over === "anything") return false;
  if (over !== "unnoted") return (await look(engine))?.identity.lineage !== over.lineage;
  const note = await engine.ledger.readLineage();
  return note !== undefined && note.lineage !== installed.identity.lineage;
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

/** A refresh token that was just issued has not been spent, whatever a record of the same text says. */
async function forgetSpending<C, V>(engine: Engine<C, V>, fingerprint: string | undefined): Promise<void> {
  for (const record of await engine.ledger.list()) {
    if (record.fingerprint === fingerprint) await engine.ledger.remove(record);
  }
}
