import { isExcused } from "./excuse.ts";
import { breakPromise, conclude, enter, FINISHING, leave, type Machine, startOver } from "./machine.ts";
import { nextStep } from "./next-step.ts";
import { publish } from "./publish.ts";
import { isKnownUsable, isLoginUsable } from "./reach.ts";
import { goOn } from "./save-steps.ts";
import {
  bodyAt,
  CLAIMED,
  countingAttempt,
  DEFERRED,
  GIVEN_BACK,
  HELD,
  hasMark,
  highestAttempt,
  LEASED,
  NONE,
  ownerAt,
  PUT_OFF,
  REFUSED,
  recordAt,
  SEALED,
  SETTLED,
  stateAt,
  successorAt,
  UNCERTAIN,
  WRONG_OWNER_BODY,
} from "./spend-record.ts";
import {
  ATTEMPT,
  ATTEMPTS,
  at,
  BASE,
  CURRENT,
  FOREIGN,
  familyOf,
  get,
  hasFlag,
  JUDGED,
  JUDGED_BESIDE,
  LOGIN,
  MODE,
  NEXT,
  OVERSLEPT,
  OWN_BACKOFF,
  of,
  SIGNED_OUT,
  STORE,
  type State,
  UNSAVED,
} from "./state.ts";
import { DOUBT, holdsNewer, isExpired, isRejected, meets, refreshTokenOf, sendsOf } from "./tokens.ts";

/** Steps 4 and 5: what is stored, what its record says, and what follows. */
export function judge(m: Machine, n: State, p: number): undefined {
  const stored = of(n, p, BASE);
  if (stored === 0 || hasFlag(n, p, SIGNED_OUT)) {
    if (of(n, p, UNSAVED) !== 0 && !hasFlag(n, p, SIGNED_OUT)) return startOver(n, p);
    n[at(p, CURRENT)] = 0;
    conclude(n, p, "absent");
    return leave(n, p, "idle");
  }
  const { rules } = m;
  if (
    !rules["adopt-only-newer"] &&
    !isExpired(n, stored) &&
    !isRejected(n, p, stored) &&
    differs(n, p, stored)
  ) {
    return publish(m, n, p, stored);
  }
  const refreshToken = refreshTokenOf(m, stored);
  const attempt = countingAttempt(n, refreshToken, m.rules);
  const record = attempt === 0 ? 0 : recordAt(refreshToken, attempt);
  const state = attempt === 0 ? NONE : stateAt(n, record);
  const isSaid = state === SEALED || state === SETTLED;
  const opens = attempt !== 0 && successorAt(n, record) !== 0 && (isSaid || rules["torn-record"]);
  if (rules["write-back"] && holdsNewer(n, p, stored) && !(state === SEALED && opens)) {
    n[at(p, NEXT)] = of(n, p, CURRENT);
    return enter(n, p, "write-back");
  }

  const isForgotten =
    (state === SETTLED && !rules["settled-record"]) || (state === REFUSED && !rules["shared-refusal"]);
  const step = nextStep({
    state: isForgotten ? DEFERRED : state,
    attempt,
    owner: ownerOf(m, n, record),
    leased: attempt !== 0 && hasMark(n, record, LEASED),
    opens,
    due: isForgotten || attempt === 0 || isDue(m, n, p, record),
    sameSnapshot: attempt !== 0 && bodyAt(n, record) === 2 + stored,
    uncertain: attempt !== 0 && hasMark(n, record, UNCERTAIN),
  });
  if (attempt !== 0 && bodyAt(n, record) === WRONG_OWNER_BODY && (state === SEALED || state === SETTLED)) {
    conclude(n, p, "wrong-owner");
    return leave(n, p, "idle");
  }
  if (step.do === "finish") {
    const next = successorAt(n, record);
    const isSaved = refreshTokenOf(m, next) === refreshToken && next <= stored;
    if (isSaved && rules["newer-stays"]) {
      goOn(n, p, refreshToken, attempt, next);
      return startOver(n, p);
    }
    n[at(p, NEXT)] = next;
    n[at(p, ATTEMPT)] = attempt;
    n[at(p, MODE)] = FINISHING;
    return enter(n, p, "commit");
  }
  if (step.do === "superseded") {
    if (rules["last-look"] && get(n, STORE) !== stored) return startOver(n, p);
    if (get(n, LOGIN) === familyOf(stored) + 1) {
      // Another process may still bring it back; this one must have nothing to bring.
      if (isKnownUsable(m, n, p)) breakPromise(n, "a diagnosis was wrong");
      else if (!isLoginUsable(m, n) && !isExcused(m, n)) breakPromise(n, "a login was lost");
    }
    conclude(n, p, "superseded");
    return leave(n, p, "idle");
  }
  if (meets(n, p, stored)) return publish(m, n, p, stored);
  switch (step.do) {
    case "claim":
      n[at(p, ATTEMPT)] = highestAttempt(n, refreshToken) + 1;
      n[at(p, JUDGED)] = attempt * 16 + state;
      n[at(p, JUDGED_BESIDE)] = attemptsOf(n, refreshToken);
      n[at(p, NEXT)] = step.uncertain && rules.uncertainty ? 1 : 0;
      return enter(n, p, "claim");
    case "wait":
      return leave(n, p, "waiting");
    case "defer":
      return leave(n, p, "back-off");
    case "held":
      if (ownerAt(n, record) === p + 1) breakPromise(n, "a diagnosis was wrong");
      return leave(n, p, "held-elsewhere");
    case "refuse":
      if (rules["refusal-look"] && get(n, STORE) !== stored) return startOver(n, p);
      n[at(p, ATTEMPT)] = attempt;
      if (m.scenario.faults["foreign writer"] && rules["foreign-poll"]) return enter(n, p, "poll");
      return refused(n, p, refreshToken, step.interrupted);
  }
}

/** The attempts at a refresh token that say something, as bits. */
export function attemptsOf(s: State, refreshToken: number): number {
  let bits = 0;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const state = stateAt(s, recordAt(refreshToken, attempt));
    if (state !== NONE && state !== GIVEN_BACK) bits |= 1 << (attempt - 1);
  }
  return bits;
}

/** "Differs from the rejected handle": mere inequality. */
function differs(n: State, p: number, stored: number): boolean {
  return of(n, p, CURRENT) !== stored;
}

/** What the lock on a record proves of its claimant. */
export function ownerOf(m: Machine, s: State, record: number): "alive" | "dead" | "unproven" {
  if (record === 0) return "dead";
  if (!m.rules["record-lock"]) return "dead";
  const free = m.rules.lease ? "unproven" : "dead";
  if (m.scenario.lock === "excludes nobody") return free;
  if (ownerAt(s, record) !== 0) return "alive";
  return m.scenario.lock === "leases" ? free : "dead";
}

function isDue(m: Machine, s: State, p: number, record: number): boolean {
  if (!hasMark(s, record, PUT_OFF)) return true;
  const state = stateAt(s, record);
  if (state === CLAIMED || state === HELD) return !m.rules["one-retry-at-once"];
  return !m.rules["shared-back-off"] && !hasFlag(s, p, OWN_BACKOFF);
}

export function refused(n: State, p: number, refreshToken: number, interrupted: boolean): undefined {
  const doubted = (sendsOf(n, refreshToken) & DOUBT) !== 0;
  const isRight = interrupted === doubted && get(n, FOREIGN) === 0;
  if (!isRight && of(n, p, OVERSLEPT) === 0) breakPromise(n, "a diagnosis was wrong");
  conclude(n, p, interrupted ? "interrupted" : "refused");
  leave(n, p, "idle");
}
