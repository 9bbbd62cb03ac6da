import { flush, forget } from "./flush-steps.ts";
import { ownerOf } from "./judge.ts";
import {
  type Act,
  enter,
  enterWindow,
  FINISHING,
  FLUSHING,
  isOvertaken,
  leave,
  left,
  type Machine,
  PLACES,
  SAVING,
  SUCCESSOR,
  startOver,
  use,
} from "./machine.ts";
import { publish } from "./publish.ts";
import {
  bodyAt,
  CLAIMED,
  clearRecord,
  HELD,
  hasMark,
  highestAttempt,
  highestCounting,
  isWritable,
  LEASED,
  NONE,
  ownerAt,
  PUT_OFF,
  REFUSED,
  recordAt,
  SEALED,
  SETTLED,
  setBodyAt,
  setMark,
  setOwnerAt,
  setStateAt,
  stateAt,
  UNREADABLE,
} from "./spend-record.ts";
import {
  ATTEMPT,
  ATTEMPTS,
  at,
  BASE,
  CREDENTIALS,
  CURRENT,
  familyOf,
  GENERATIONS,
  GOAL,
  get,
  hasFlag,
  MODE,
  NEXT,
  of,
  PC,
  SENDS,
  STORE,
  type State,
  UNSAVED,
  UNSAVED_ATTEMPT,
  UNSAVED_BASE,
  UNSAVED_NEXT,
  UNSEALED,
} from "./state.ts";
import { meets, refreshTokenOf, sendsOf, UNDER_WAY } from "./tokens.ts";

/** Steps that bring something into the store: commit, settle, flush, write back. */
export function saveSteps(m: Machine, s: State, p: number, act: Act): undefined {
  switch (PLACES[of(s, p, PC)]) {
    case "flush":
      return flush(m, s, p, act);
    case "commit":
      if (left(s, "save fails") > 0) act("fail to commit", (n) => failToCommit(m, n, p));
      return act("commit", (n) => commit(m, n, p));
    case "settle":
      return act("settle", (n) => settle(m, n, p));
    case "write-back":
      if (left(s, "save fails") > 0) {
        act("fail to write back", (n) => {
          use(n, "save fails");
          leave(n, p, "locking");
        });
      }
      return act("write back", (n) => {
        if (!m.rules["write-back-compare"] || get(n, STORE) === of(n, p, BASE)) n[STORE] = of(n, p, NEXT);
        startOver(n, p);
      });
    default:
      return;
  }
}

/** Step 11: a compare-and-swap. */
function commit(m: Machine, n: State, p: number): undefined {
  const base = of(n, p, BASE);
  const next = of(n, p, NEXT);
  const stored = get(n, STORE);
  const isSame = stored !== 0 && refreshTokenOf(m, stored) === refreshTokenOf(m, base);
  const isLater = isSame && stored > next;
  if (isLater && m.rules["newer-stays"]) n[at(p, MODE)] = of(n, p, MODE) | DROPPED;
  else if (!m.rules["compare-and-swap"] || isSame || stored === next) {
    n[STORE] = next;
    n[at(p, BASE)] = base;
    n[at(p, MODE)] = of(n, p, MODE) & 3;
  } else {
    const isOlder = stored !== 0 && familyOf(stored) === familyOf(next) && stored < next;
    n[at(p, MODE)] = of(n, p, MODE) | DROPPED | (isOlder ? WENT_BACK : 0);
  }
  enter(n, p, "settle");
}

const DROPPED = 4;
/** The store holds an older generation of the same login. */
const WENT_BACK = 8;

function failToCommit(m: Machine, n: State, p: number): undefined {
  use(n, "save fails");
  const mode = of(n, p, MODE);
  if (mode === FLUSHING || mode === SAVING) {
    return leave(n, p, of(n, p, GOAL) === 0 ? "idle" : "locking");
  }
  const next = of(n, p, NEXT);
  if (m.rules["failed-epoch"] && isOvertaken(m, n, p)) {
    if (!m.rules["held-until-saved"]) closeRecord(m, n, p);
    return startOver(n, p);
  }
  n[at(p, UNSAVED)] = SUCCESSOR;
  n[at(p, UNSAVED_NEXT)] = next;
  n[at(p, UNSAVED_BASE)] = of(n, p, BASE);
  n[at(p, UNSAVED_ATTEMPT)] = of(n, p, ATTEMPT);
  if (mode === FINISHING && !meets(n, p, next)) startOver(n, p);
  else publish(m, n, p, next);
}

/** Lets go of the record's lock, if this process has it. */
function closeRecord(m: Machine, n: State, p: number): undefined {
  if (!hasFlag(n, p, UNSEALED)) return;
  setOwnerAt(n, recordAt(refreshTokenOf(m, of(n, p, BASE)), of(n, p, ATTEMPT)), 0);
}

/** Closes the record of a refresh token that has left the store. */
function settle(m: Machine, n: State, p: number): undefined {
  const base = of(n, p, BASE);
  const next = of(n, p, NEXT);
  const mode = of(n, p, MODE);
  const isDropped = (mode & DROPPED) !== 0;
  // Nowhere but here, and the latest of this login: from here it is written back over what was restored.
  const isOnlyHere = (mode & WENT_BACK) !== 0 && hasFlag(n, p, UNSEALED);
  if (m.rules["brought-back"] && isOnlyHere && !isOvertaken(m, n, p)) n[at(p, CURRENT)] = next;
  const refreshToken = refreshTokenOf(m, base);
  const stored = get(n, STORE);
  const isStored = stored !== 0 && refreshTokenOf(m, stored) === refreshToken;
  const isKept = refreshTokenOf(m, next) === refreshToken;
  if (isKept && (isDropped ? isStored : m.rules["same-token"])) {
    goOn(n, p, refreshToken, of(n, p, ATTEMPT), next);
  } else {
    const record = recordAt(refreshToken, of(n, p, ATTEMPT));
    if (isKept && !isDropped) n[SENDS + refreshToken] = 0;
    if (isWritable(n, record, p) || !m.rules.claim) {
      setStateAt(n, record, SETTLED);
      setMark(n, record, PUT_OFF, false);
      setMark(n, record, LEASED, false);
      setOwnerAt(n, record, 0);
    }
    tidy(m, n, p, base, record);
  }
  if (!isDropped) prune(m, n);
  finish(m, n, p, mode & 3, isDropped);
}

/** Of each refresh token the attempt that counts stays, and where it may still be spent those after it and any answer. */
function prune(m: Machine, n: State): undefined {
  for (let refreshToken = 1; refreshToken <= CREDENTIALS; refreshToken += 1) {
    const highest = highestAttempt(n, refreshToken);
    if (highest === 0) continue;
    const counting = highestCounting(n, refreshToken, m.rules) || highest;
    const isOpen = stateAt(n, recordAt(refreshToken, counting)) !== SETTLED;
    for (let attempt = 1; attempt <= highest; attempt += 1) {
      const record = recordAt(refreshToken, attempt);
      if (attempt === counting) continue;
      if (isOpen && (attempt > counting || stateAt(n, record) === SEALED)) continue;
      if (stateAt(n, record) !== NONE && !mayBeWritten(m, n, record)) clearRecord(n, record);
    }
  }
}

/** Whether somebody may still have something to write into it: by its lock, and where that proves nothing by its lease. */
function mayBeWritten(m: Machine, n: State, record: number): boolean {
  const state = stateAt(n, record);
  const isOpen = state === CLAIMED || state === HELD || state === UNREADABLE;
  const owner = ownerOf(m, n, record);
  return owner === "unproven" ? isOpen && hasMark(n, record, LEASED) : owner === "alive";
}

/** The same refresh token goes on: this attempt and those before it go, and not what was begun since. */
export function goOn(n: State, p: number, refreshToken: number, attempt: number, next: number): undefined {
  const record = recordAt(refreshToken, attempt);
  const state = stateAt(n, record);
  const isOurs = bodyAt(n, record) === 2 + next || (state === HELD && ownerAt(n, record) === p + 1);
  if (!isOurs) return;
  for (let done = 1; done <= attempt; done += 1) clearRecord(n, recordAt(refreshToken, done));
  if ((sendsOf(n, refreshToken) & 7) !== UNDER_WAY) n[SENDS + refreshToken] = 0;
}

/** Wipes the bodies that a settled generation makes useless. */
function tidy(m: Machine, n: State, p: number, base: number, record: number): undefined {
  const isDropped = (of(n, p, MODE) & DROPPED) !== 0;
  if (!m.rules["bodies-kept"]) setBodyAt(n, record, 0);
  if (isDropped && m.rules["tidy-after-save"]) return;
  // The store went back between the commit and this: from here on the bodies do not reach.
  const stored = get(n, STORE);
  if (!isDropped && stored !== 0 && familyOf(stored) === familyOf(base) && stored < base) {
    enterWindow(n, "older than the bodies");
  }
  const first = familyOf(base) * GENERATIONS + 1;
  for (let older = first; older < base; older += 1) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const other = recordAt(older, attempt);
      const state = stateAt(n, other);
      if (state === NONE || state === REFUSED) continue;
      setBodyAt(n, other, 0);
      if (state === SEALED && m.rules["wiped-is-settled"]) setStateAt(n, other, SETTLED);
    }
  }
}

function finish(m: Machine, n: State, p: number, mode: number, isDropped: boolean): undefined {
  const next = of(n, p, NEXT);
  if (mode === FLUSHING || mode === SAVING) {
    if (of(n, p, UNSAVED) === SUCCESSOR) forget(n, p);
    for (const field of [BASE, NEXT, ATTEMPT, MODE]) n[at(p, field)] = 0;
    return mode === SAVING ? leave(n, p, "idle") : enter(n, p, of(n, p, UNSAVED) === 0 ? "read" : "flush");
  }
  if (isDropped || (mode === FINISHING && !meets(n, p, next))) return startOver(n, p);
  publish(m, n, p, next);
}
