import type { Machine } from "./machine.ts";
import { enterWindow } from "./machine.ts";
import {
  at,
  CURRENT,
  credentialOf,
  EXPIRED,
  FAMILY,
  familyOf,
  GOAL,
  GRACE,
  generationOf,
  get,
  hasBit,
  NEWEST,
  NOT,
  OTHERS,
  of,
  REJECTED,
  REVOKED,
  SENDS,
  type State,
} from "./state.ts";

/** What is true of a refresh token; 0 is never sent. Ghost: no process knows it. */
export const UNDER_WAY = 1;
export const UNKNOWN_OUTCOME = 2;
export const ANSWERED = 3;
export const NOT_CONSUMED = 4;
export const REFUSED_BY_SERVER = 5;
/** Marks beside it. */
export const BACKING_OFF = 8;
export const DOUBT = 16;
export const SECOND_DOUBT = 32;

/** The refresh token of a credential; named like the first credential that has it. */
export function refreshTokenOf(m: Machine, credential: number): number {
  return m.scenario.server === "keeps" ? credentialOf(familyOf(credential), 0) : credential;
}

export function sendsOf(s: State, refreshToken: number): number {
  return get(s, SENDS + refreshToken);
}

export function setOutcome(n: State, refreshToken: number, outcome: number): undefined {
  n[SENDS + refreshToken] = (sendsOf(n, refreshToken) & ~7) | outcome;
}

export function mark(n: State, refreshToken: number, marks: number): undefined {
  n[SENDS + refreshToken] = sendsOf(n, refreshToken) | marks;
}

/** An attempt ended and nobody knows how. */
export function doubt(n: State, refreshToken: number): undefined {
  const again = (sendsOf(n, refreshToken) & DOUBT) !== 0;
  mark(n, refreshToken, again ? DOUBT | SECOND_DOUBT : DOUBT);
}

/** An answer did not reach us: where the server does not repeat it, a login may be lost by that. */
export function loseAnswer(m: Machine, n: State, refreshToken: number): undefined {
  setOutcome(n, refreshToken, UNKNOWN_OUTCOME);
  doubt(n, refreshToken);
  const { server } = m.scenario;
  if (server === "rotates" || server === "rotates and revokes") enterWindow(n, "lost answer");
}

/** What the server makes of a refresh token: the successor, or 0 when it refuses. */
export function redeem(m: Machine, n: State, refreshToken: number): number {
  const family = familyOf(refreshToken);
  const state = get(n, FAMILY + family);
  const newest = get(n, NEWEST + family);
  if ((state & REVOKED) !== 0) return 0;
  const generation = generationOf(refreshToken);
  const { server } = m.scenario;
  if (server === "keeps" || generation === newest) {
    const next = credentialOf(family, newest + 1);
    n[NEWEST + family] = newest + 1;
    if (server === "rotates with grace") n[FAMILY + family] = state | GRACE;
    return next;
  }
  if (generation === newest - 1 && (state & GRACE) !== 0) return credentialOf(family, newest);
  if (server === "rotates and revokes") n[FAMILY + family] = state | REVOKED;
  return 0;
}

/** Whether the server would still give something for this credential. */
export function isLive(m: Machine, s: State, credential: number): boolean {
  const family = familyOf(credential);
  if ((get(s, FAMILY + family) & REVOKED) !== 0) return false;
  if (m.scenario.server === "keeps") return true;
  return generationOf(credential) === get(s, NEWEST + family);
}

export function isExpired(s: State, credential: number): boolean {
  return hasBit(s, EXPIRED, credential);
}

export function isRejected(s: State, process: number, credential: number): boolean {
  return hasBit(s, at(process, REJECTED), credential);
}

/** Whether this process holds a later generation of the same login. */
export function holdsNewer(s: State, process: number, credential: number): boolean {
  const mine = of(s, process, CURRENT);
  return mine !== 0 && familyOf(mine) === familyOf(credential) && mine > credential;
}

/** Whose a credential is: 0 and 1 are those who log in, 2 is anybody else. */
export function accountOf(m: Machine, s: State, credential: number): number {
  if (hasBit(s, OTHERS, credential)) return 2;
  return m.scenario.otherAccount && familyOf(credential) === 1 ? 1 : 0;
}

export const GOAL_USE = 1;
export const GOAL_ANOTHER = 2;

/** Whether a credential may be handed to those who wait. */
export function meets(s: State, process: number, credential: number): boolean {
  if (isRejected(s, process, credential) || holdsNewer(s, process, credential)) return false;
  if (of(s, process, GOAL) === GOAL_ANOTHER && of(s, process, NOT) === credential) return false;
  return !isExpired(s, credential);
}
