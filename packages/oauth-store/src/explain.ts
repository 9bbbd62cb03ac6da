import { countingRecord } from "./counting-record.ts";
import { type Engine, needOf } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import type { CredentialExplanation, SpendSummary } from "./explanation.ts";
import { peek, type StoredCredential } from "./look.ts";
import { nextStarter, standsRefused } from "./next-starter.ts";
import { summarize } from "./read-spend-records.ts";
import { WRONG_ACCOUNT } from "./refusal.ts";
import { readSealed, starterView } from "./starter-view.ts";

type Verdict = CredentialExplanation["verdict"];

const SUMMARIES: Readonly<Record<Verdict, string>> = {
  "never-logged-in": "Nobody has logged in here.",
  working: "The credential is in order.",
  refused: "The authorization server refused the refresh token; a login is needed.",
  interrupted:
    "A refresh was sent and its answer never arrived; the server refused to repeat it; a login is needed.",
  superseded:
    "The store holds a refresh token that was spent before, and its successor is gone: it was restored from an older copy, or written by a program that does not take the lock; a login is needed.",
  deferred: "The last refresh did not work; it is tried again later.",
  "in-progress": "A refresh is under way, or was begun and will be finished by whoever comes next.",
  "held-elsewhere": "Another process has refreshed the credential and cannot save it.",
  "wrong-account": "The authorization server answered for somebody else; a login is needed.",
  reused:
    "A program that does not take the lock has saved a refresh token of its own here, and the authorization server refuses both its token and ours: one of them was used twice; a login is needed.",
  "login-unsaved":
    "A login was made here and is not saved: its process is at it, or has ended before it could; if nobody is at it, a login is needed.",
  "logged-out": "The credential was removed by a logout of this process.",
  "logged-out-elsewhere": "The credential was removed by a logout of another process.",
  removed: "The credential was removed by a program that does not take the lock.",
  unspendable: "The access token has expired and there is no refresh token; a login is needed.",
  corrupt: "What is stored cannot be read.",
};

/** Also half a file that somebody may be writing: nobody waits for them here. */
const UNREADABLE: ReadonlySet<string> = new Set(["ERR_OAUTH_STORE_CORRUPT", "ERR_OAUTH_STORE_LOCK_TIMEOUT"]);

/** Says why a credential is as it is, from the store and the records. */
export async function explain<C, V>(engine: Engine<C, V>): Promise<CredentialExplanation> {
  let stored: StoredCredential<C> | undefined;
  let verdict = ownVerdict(engine);
  try {
    stored = await peek(engine, { lockTimeoutMs: 0 });
  } catch (error) {
    if (!isCredentialError(error) || !UNREADABLE.has(error.code)) throw error;
    verdict ??= "corrupt";
  }
  const spends: readonly SpendSummary[] = summarize(await engine.ledger.list(), stored?.marks.fingerprint);
  if (stored && engine.state.isDisowned(stored.identity.lineage)) verdict ??= "logged-out";
  verdict ??= stored ? await verdictOf(engine, stored) : await absence(engine);
  return { verdict, summary: SUMMARIES[verdict], spends };
}

/** What only this process knows. */
function ownVerdict<C, V>({ state }: Engine<C, V>): Verdict | undefined {
  if (state.unpersisted) return state.unpersisted.what === "login" ? "login-unsaved" : "in-progress";
  return undefined;
}

async function absence<C, V>(engine: Engine<C, V>): Promise<Verdict> {
  const note = await engine.ledger.readLineage();
  if (!note) return "never-logged-in";
  if ((note.loggedOutAtMs ?? note.logoutBegunAtMs) === undefined) {
    return note.before === undefined ? "removed" : "login-unsaved";
  }
  const { host, boot, pid } = engine.owner;
  const by = note.loggedOutBy;
  return by?.host === host && by.boot === boot && by.pid === pid ? "logged-out" : "logged-out-elsewhere";
}

async function verdictOf<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<Verdict> {
  const { record, refreshToken } = stored;
  const header = record?.header;
  if (refreshToken === undefined) return needOf(engine, stored) === "now" ? "unspendable" : "working";
  if (!record) return "working";
  switch (header?.state) {
    case "refused":
      if (!standsRefused(header, { ...stored.marks, clientHash: stored.clientHash })) return "working";
      if (header.outcomeCode === WRONG_ACCOUNT) return "wrong-account";
      if (await isReused(engine, stored)) return "reused";
      return header.uncertain && header.outcomeCode !== "invalid_client" ? "interrupted" : "refused";
    case "sealed":
      return header.outcomeCode === WRONG_ACCOUNT ? "wrong-account" : "in-progress";
    case "settled":
      return (await readSealed(engine, stored)) ? "in-progress" : "superseded";
    case "held":
      return nextStarter(await starterView(engine, stored, undefined)).do === "held"
        ? "held-elsewhere"
        : "in-progress";
    case "unknown":
    case "deferred":
      return "deferred";
    default:
      return "in-progress";
  }
}

/** What is stored was saved by nobody who takes the lock, and what we had saved before it is refused as well. */
async function isReused<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<boolean> {
  const ours = stored.note?.current?.fingerprint;
  if (stored.identity.by !== "foreign" || ours === undefined || ours === stored.marks.fingerprint)
    return false;
  return countingRecord(await engine.ledger.attempts(ours))?.header?.state === "refused";
}
