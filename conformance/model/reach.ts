import type { Machine } from "./machine.ts";
import {
  bodyAt,
  countingAttempt,
  NONE,
  recordAt,
  stateAt,
  successorAt,
  WRONG_OWNER_BODY,
} from "./spend-record.ts";
import {
  CREDENTIALS,
  CURRENT,
  familyOf,
  get,
  LOGIN,
  NEXT,
  of,
  STORE,
  type State,
  UNSAVED,
  UNSAVED_NEXT,
} from "./state.ts";
import { isLive, refreshTokenOf, sendsOf, UNDER_WAY } from "./tokens.ts";

/** The newest credential that a chain of opening bodies leads to. */
export function followBodies(m: Machine, s: State, from: number): number {
  let credential = from;
  for (let links = 0; links < 8 && credential !== 0; links += 1) {
    const refreshToken = refreshTokenOf(m, credential);
    const attempt = countingAttempt(s, refreshToken, m.rules);
    const next = attempt === 0 ? 0 : successorAt(s, recordAt(refreshToken, attempt));
    if (next === 0 || familyOf(next) !== familyOf(credential) || next <= credential) return credential;
    credential = next;
  }
  return credential;
}

/**
 * Whether the login can still be used by whoever comes next: what is stored, what its records hold or what a living
 * process holds leads to a credential that the server honours.
 */
export function isLoginUsable(m: Machine, s: State): boolean {
  if (get(s, LOGIN) === 0 || leadsToLive(m, s, get(s, STORE))) return true;
  for (let process = 0; process < m.processes; process += 1) {
    if (leadsToLive(m, s, of(s, process, CURRENT)) || leadsToLive(m, s, of(s, process, NEXT))) return true;
    if (of(s, process, UNSAVED) !== 0 && leadsToLive(m, s, of(s, process, UNSAVED_NEXT))) return true;
  }
  return false;
}

/** The same, by what the store and the records tell. */
export function isReachable(m: Machine, s: State): boolean {
  return leadsToLive(m, s, get(s, STORE));
}

/** The same, by what one process can know: the store, the records and its own memory. */
export function isKnownUsable(m: Machine, s: State, process: number): boolean {
  return leadsToLive(m, s, get(s, STORE)) || leadsToLive(m, s, of(s, process, CURRENT));
}

/** What is answered instead of a credential has a higher number. */
function leadsToLive(m: Machine, s: State, start: number): boolean {
  if (start === 0 || start > CREDENTIALS || familyOf(start) !== get(s, LOGIN) - 1) return false;
  const end = followBodies(m, s, start);
  return isLive(m, s, end) || (sendsOf(s, refreshTokenOf(m, end)) & 7) === UNDER_WAY;
}

/** Whether the store's credential was answered for somebody else: known, sealed, and said so. */
export function isWrongOwnerSealed(m: Machine, s: State): boolean {
  const stored = get(s, STORE);
  if (stored === 0) return false;
  const refreshToken = refreshTokenOf(m, stored);
  const attempt = countingAttempt(s, refreshToken, m.rules);
  if (attempt === 0) return false;
  const record = recordAt(refreshToken, attempt);
  return stateAt(s, record) !== NONE && bodyAt(s, record) === WRONG_OWNER_BODY;
}
