import type { Machine } from "./machine.ts";
import { WINDOWS, type Window } from "./scenario.ts";
import {
  credentialOf,
  FAMILY,
  get,
  LOGIN,
  NEWEST,
  REVOKED,
  type State,
  WINDOWS as WINDOWS_AT,
} from "./state.ts";
import { ANSWERED, refreshTokenOf, sendsOf } from "./tokens.ts";

/** Windows through which what had reached somebody is gone again, though the server would still honour it. */
const LOSES_WHAT_ARRIVED: readonly Window[] = [
  "login not saved",
  "older than the bodies",
  "unsealed token",
  "custodian died",
];

/**
 * Whether no client could have kept this login: the run went through a window that its scenario has, and the server
 * has revoked the login, or its newest answer reached nobody, or the window is one that takes what had arrived.
 */
export function isExcused(m: Machine, s: State): boolean {
  const allowed = m.scenario.windows ?? [];
  const entered = WINDOWS.filter((_, index) => (get(s, WINDOWS_AT) & (1 << index)) !== 0);
  const open = entered.filter((window) => allowed.includes(window));
  return open.some((window) => !hasArrived(m, s) || LOSES_WHAT_ARRIVED.includes(window));
}

/** Whether the server still honours the login, and its newest credential has reached somebody. */
function hasArrived(m: Machine, s: State): boolean {
  const family = get(s, LOGIN) - 1;
  if ((get(s, FAMILY + family) & REVOKED) !== 0) return false;
  const newest = get(s, NEWEST + family);
  if (newest === 0 || m.scenario.server === "keeps") return true;
  return (sendsOf(s, refreshTokenOf(m, credentialOf(family, newest - 1))) & 7) === ANSWERED;
}
