import type { RuleSet } from "./rules.ts";
import { ATTEMPTS, get, RECORDS, type State } from "./state.ts";

/** States of a spend record in the model; `unreadable` is a header that is torn. */
export const NONE = 0;
export const CLAIMED = 1;
export const UNKNOWN = 2;
export const DEFERRED = 3;
export const SEALED = 4;
export const HELD = 5;
export const SETTLED = 6;
export const REFUSED = 7;
export const UNREADABLE = 8;
/** Deferred, because it was given back before anything was sent: it only keeps its number from being used again. */
export const GIVEN_BACK = 9;

/** The next attempt is put off. */
export const PUT_OFF = 16;
export const UNCERTAIN = 32;
export const LEASED = 64;

/** Bodies: nothing, torn, somebody else's answer, or 2 + a credential (of a refused record: the one refused). */
export const TORN_BODY = 1;
export const WRONG_OWNER_BODY = 2;

/** A run needs more attempts than a state has room for: nothing is known of what comes after. */
export class TooManyAttempts extends RangeError {
  constructor() {
    super("the scenario needs more attempts than the model has");
  }
}

/** Where the record of an attempt lies. */
export function recordAt(refreshToken: number, attempt: number): number {
  if (attempt > ATTEMPTS) throw new TooManyAttempts();
  return RECORDS + ((refreshToken - 1) * ATTEMPTS + attempt - 1) * 2;
}

export function refreshTokenAt(record: number): number {
  return 1 + Math.floor((record - RECORDS) / (2 * ATTEMPTS));
}

export function stateAt(s: State, record: number): number {
  return get(s, record) & 15;
}

/** Changes the state and leaves the marks. */
export function setStateAt(s: State, record: number, state: number): undefined {
  s[record] = (get(s, record) & ~15) | state;
}

export function hasMark(s: State, record: number, mark: number): boolean {
  return (get(s, record) & mark) !== 0;
}

export function setMark(s: State, record: number, mark: number, on: boolean): undefined {
  s[record] = on ? get(s, record) | mark : get(s, record) & ~mark;
}

/** The living process that locks the record, plus one. */
export function ownerAt(s: State, record: number): number {
  return get(s, record + 1) & 3;
}

export function setOwnerAt(s: State, record: number, owner: number): undefined {
  s[record + 1] = (get(s, record + 1) & ~3) | owner;
}

export function bodyAt(s: State, record: number): number {
  return get(s, record + 1) >> 2;
}

export function setBodyAt(s: State, record: number, body: number): undefined {
  s[record + 1] = (get(s, record + 1) & 3) | (body << 2);
}

/** The successor in the body, or 0. */
export function successorAt(s: State, record: number): number {
  const state = stateAt(s, record);
  const body = bodyAt(s, record);
  const mayHold =
    state !== NONE && state !== GIVEN_BACK && state !== UNKNOWN && state !== DEFERRED && state !== REFUSED;
  return mayHold && body > 2 ? body - 2 : 0;
}

/** Whether what stands there is what this process claimed, and not what somebody else made in its place since. */
export function isWritable(s: State, record: number, process: number): boolean {
  const owner = ownerAt(s, record);
  return stateAt(s, record) !== NONE && (owner === 0 || owner === process + 1);
}

export function clearRecord(s: State, record: number): undefined {
  s[record] = 0;
  s[record + 1] = 0;
}

/** The highest attempt there is a record of, or 0. */
export function highestAttempt(s: State, refreshToken: number): number {
  for (let attempt = ATTEMPTS; attempt > 0; attempt -= 1) {
    if (stateAt(s, recordAt(refreshToken, attempt)) !== NONE) return attempt;
  }
  return 0;
}

/**
 * The attempt that says how a refresh token stands: one whose successor was saved, else one whose answer lies sealed
 * below whatever was claimed since by somebody who did not know, else the highest that counts.
 */
export function countingAttempt(s: State, refreshToken: number, rules: RuleSet): number {
  const counting = highestCounting(s, refreshToken, rules);
  if (stateAt(s, recordAt(refreshToken, Math.max(counting, 1))) === SETTLED) return counting;
  for (let attempt = counting - 1; attempt > 0; attempt -= 1) {
    const record = recordAt(refreshToken, attempt);
    if (stateAt(s, record) === SEALED && bodyAt(s, record) >= WRONG_OWNER_BODY) return attempt;
  }
  return counting;
}

/** The same, by the headers alone. */
export function highestCounting(s: State, refreshToken: number, rules: RuleSet): number {
  let counting = 0;
  for (let attempt = ATTEMPTS; attempt > 0; attempt -= 1) {
    const state = stateAt(s, recordAt(refreshToken, attempt));
    if (state === SETTLED && rules["settled-record"]) return attempt;
    if (counting === 0 && state !== NONE && state !== GIVEN_BACK) counting = attempt;
  }
  return counting;
}
