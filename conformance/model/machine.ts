import type { RuleSet } from "./rules.ts";
import { FAULTS, type Fault, type Scenario, WINDOWS, type Window } from "./scenario.ts";
import {
  ASKED,
  ATTEMPT,
  at,
  BASE,
  BROKEN,
  BUDGET,
  DRIFTED,
  dropFlag,
  EPOCH_MOVED,
  FLAGS,
  GOAL,
  get,
  HOLDERS,
  hasFlag,
  JUDGED,
  JUDGED_BESIDE,
  MODE,
  NEXT,
  NOT,
  ORPHANS,
  OVERSLEPT,
  OWN_BACKOFF,
  of,
  PC,
  PREPARED,
  RESULT,
  ROUND,
  STALE_CLAIM,
  type State,
  UNSAVED,
  UNSEALED,
  WINDOWS as WINDOWS_AT,
} from "./state.ts";

/** Where a process stands. */
export const PLACES = [
  "idle",
  "locking",
  "flush",
  "read",
  "judge",
  "claim",
  "recheck",
  "send",
  "sent",
  "answered",
  "poll",
  "commit",
  "settle",
  "published",
  "write-back",
  "waiting",
  "back-off",
  "held-elsewhere",
  "saving",
  "logging-out",
  "remove",
  "wipe",
  "revoke",
] as const;
export type Place = (typeof PLACES)[number];

export const PLACE: Readonly<Record<Place, number>> = Object.fromEntries(
  PLACES.map((place, index) => [place, index]),
) as Record<Place, number>;

/** How an ask ended. */
export const RESULTS = [
  "none",
  "handle",
  "absent",
  "refused",
  "interrupted",
  "superseded",
  "wrong-owner",
  "replaced",
  "overtaken",
] as const;
export type Result = (typeof RESULTS)[number];

/** A promise that a run broke. */
export const PROMISES = [
  "none",
  "a token was sent while another sending of it was under way",
  "a token was sent again after its answer had reached us",
  "a refused token was sent again",
  "a token was sent for what a login or logout had ended",
  "a token was sent before the back-off ended",
  "a token was sent that had left the store, or whose answer lay sealed",
  "a token was spent though it was known that nothing could be saved",
  "a login came back after a logout",
  "a login was overwritten",
  "a login was dropped",
  "a login was lost",
  "an older generation was adopted",
  "an older generation was saved over a newer one",
  "a rejected handle was handed back",
  "the wrong account was handed out",
  "the wrong account was installed",
  "the wrong account was saved",
  "an expired handle was handed out",
  "nothing was handed out as a handle",
  "a diagnosis was wrong",
  "a logout left a live token behind",
  "somebody waits for ever",
] as const;
export type Broken = (typeof PROMISES)[number];

/** Everything that can happen next, to a process or to the world. */
export const ACTIONS = [
  "start",
  "ask",
  "take the lock",
  "read",
  "judge",
  "claim",
  "recheck",
  "send",
  "fail to send",
  "receive",
  "note refusal",
  "note failure",
  "seal for another",
  "seal",
  "fail to seal",
  "hold unsealed",
  "poll",
  "commit",
  "fail to commit",
  "settle",
  "let go",
  "write back",
  "fail to write back",
  "begin to save",
  "save the login",
  "fail to save the login",
  "look again",
  "log in",
  "log out",
  "remove",
  "wipe",
  "revoke",
  "server answers",
  "server fails",
  "server is busy",
  "server answers for another",
  "lose the request",
  "lose the answer",
  "time out",
  "crash",
  "crash while sealing",
  "crash after the body",
  "crash in the header",
  "store goes back",
  "foreign writer spends",
  "foreign writer saves",
  "lock is removed",
  "home is removed",
  "freeze",
  "thaw",
  "access token runs out",
  "back-off ends",
  "lease ends",
  "reject what was just published",
] as const;
export type Action = (typeof ACTIONS)[number];

/** Takes one step: changes a copy and reports it. */
export type Act = (action: Action, change: (n: State) => undefined) => undefined;

/** What a commit is part of. */
export const SPENDING = 0;
export const FINISHING = 1;
export const FLUSHING = 2;
export const SAVING = 3;

/** What could not be saved. */
export const SUCCESSOR = 1;
export const LOGIN_TOKENS = 2;

/** One exploration: its scenario, its rules, and where new states go. */
export interface Machine {
  readonly scenario: Scenario;
  readonly rules: RuleSet;
  readonly processes: number;
  /** A copy of `s` to change; the same bytes each time. */
  from(s: State): State;
  /** Reports the copy as what `action` of `process` leads to. */
  emit(n: State, action: Action, process: number): void;
}

export function breakPromise(n: State, broken: Broken): undefined {
  if (n[BROKEN] === 0) n[BROKEN] = PROMISES.indexOf(broken);
}

export function enter(n: State, process: number, place: Place): undefined {
  n[at(process, PC)] = PLACE[place];
}

export function isAt(s: State, process: number, place: Place): boolean {
  return of(s, process, PC) === PLACE[place];
}

export function left(s: State, fault: Fault): number {
  return get(s, BUDGET + FAULTS.indexOf(fault));
}

export function use(n: State, fault: Fault): undefined {
  n[BUDGET + FAULTS.indexOf(fault)] = left(n, fault) - 1;
}

export function enterWindow(n: State, window: Window): undefined {
  n[WINDOWS_AT] = get(n, WINDOWS_AT) | (1 << WINDOWS.indexOf(window));
}

export function holdsLock(s: State, process: number): boolean {
  return ((get(s, HOLDERS) | get(s, ORPHANS)) & (1 << process)) !== 0;
}

/** Lets go of the lock and forgets what was judged under it. */
export function leave(n: State, process: number, place: Place): undefined {
  const mine = ~(1 << process);
  n[HOLDERS] = get(n, HOLDERS) & mine;
  n[ORPHANS] = get(n, ORPHANS) & mine;
  for (const field of [ROUND, BASE, NEXT, ATTEMPT, MODE, JUDGED, JUDGED_BESIDE, OVERSLEPT])
    n[at(process, field)] = 0;
  n[at(process, FLAGS)] = of(n, process, FLAGS) & ~(EPOCH_MOVED | DRIFTED | STALE_CLAIM | UNSEALED);
  enter(n, process, place);
}

/** The ask of this process has ended. */
export function conclude(n: State, process: number, result: Result): undefined {
  n[at(process, RESULT)] = RESULTS.indexOf(result);
  n[at(process, GOAL)] = 0;
  n[at(process, NOT)] = 0;
  n[at(process, PREPARED)] = 0;
  n[at(process, ASKED)] = of(n, process, ASKED) + 1;
  dropFlag(n, process, OWN_BACKOFF);
}

/** Judges anew in the same hold, twice at most. */
export function startOver(n: State, process: number): undefined {
  if (of(n, process, ROUND) >= 2) {
    leave(n, process, of(n, process, GOAL) === 0 ? "idle" : "locking");
    return;
  }
  n[at(process, ROUND)] = of(n, process, ROUND) + 1;
  for (const field of [BASE, NEXT, ATTEMPT, MODE, JUDGED, JUDGED_BESIDE, OVERSLEPT])
    n[at(process, field)] = 0;
  n[at(process, FLAGS)] = of(n, process, FLAGS) & ~(EPOCH_MOVED | DRIFTED | STALE_CLAIM | UNSEALED);
  enter(n, process, of(n, process, UNSAVED) === 0 ? "read" : "flush");
}

/** What was judged before a login or logout made here is not published. */
export function isOvertaken(m: Machine, s: State, process: number): boolean {
  return m.rules.epoch && hasFlag(s, process, EPOCH_MOVED);
}
