import { randomBytes } from "node:crypto";
import type { CredentialHandle } from "./credential-session.ts";
import type { Engine } from "./engine.ts";
import type { CredentialIdentity } from "./identify.ts";
import type { LineageNote } from "./lineage-note.ts";
import { marksOf, peek } from "./look.ts";
import type { LoginBase } from "./unpersisted.ts";

/**
 * Installs a new login in this process, at once and without an await, as a credential that is still to be saved:
 * tokens just issued are not lost to a lock that somebody keeps, and a logout called later comes later. It replaces
 * what was held without merging.
 */
export function beginLogin<C, V>(
  engine: Engine<C, V>,
  credential: C,
  pins: Readonly<Record<string, string>> | undefined,
): CredentialHandle<V> {
  const { kind, state, clock } = engine;
  const entry = kind.serialize(credential);
  const receivedAtMs = clock.wallMs();
  const identity: CredentialIdentity = {
    lineage: randomBytes(16).toString("hex"),
    generation: 0,
    receivedAtMs,
    lifetimeMs: kind.lifetimeMs?.(credential, receivedAtMs),
    by: "login",
  };
  const installed = state.prepare(credential, identity, marksOf(engine, credential, entry));
  const before = state.unpersisted;
  // Its record stays locked until the login is saved: the store still has what it was got for.
  const instead = before?.what === "login" ? before.instead : before;
  state.unpersisted = {
    what: "login",
    installed,
    pins,
    base: lineageBefore(engine),
    over: "anything",
    instead,
  };
  state.beginLogin(installed);
  engine.emit({ type: "loggedIn", lineage: identity.lineage });
  return installed.handle;
}

/** A store that cannot be read now may hold a login all the same; the note beside it may still name that one. */
async function lineageBefore<C, V>(engine: Engine<C, V>): Promise<LoginBase> {
  try {
    return { lineages: [(await peek(engine))?.identity.lineage] };
  } catch {
    try {
      const note = await engine.ledger.readLineage();
      return note ? { lineages: lineagesOf(note) } : "unnoted";
    } catch {
      // Not knowing what was there is no reason to drop what somebody has just logged in for.
      return "anything";
    }
  }
}

/** All that may be stored: of a login that was not saved, also what it was made over; after a logout, nothing. */
function lineagesOf({
  lineage,
  before,
  loggedOutAtMs,
  logoutBegunAtMs,
}: LineageNote): (string | undefined)[] {
  const mayBeEmpty = before === null || (loggedOutAtMs ?? logoutBegunAtMs) !== undefined;
  return [lineage, ...(before ? [before.lineage] : []), ...(mayBeEmpty ? [undefined] : [])];
}
