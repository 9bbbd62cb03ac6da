import { type Act, enterWindow, isAt, type Machine } from "./machine.ts";
import {
  CLAIMED,
  DEFERRED,
  HELD,
  hasMark,
  LEASED,
  NONE,
  ownerAt,
  PUT_OFF,
  recordAt,
  setMark,
  setOwnerAt,
  stateAt,
  UNKNOWN,
  UNREADABLE,
} from "./spend-record.ts";
import {
  ATTEMPTS,
  at,
  CREDENTIALS,
  FAMILY,
  FLAGS,
  FROZEN,
  familyOf,
  GRACE,
  get,
  HOLDERS,
  hasFlag,
  OVERSLEPT,
  of,
  SENDS,
  type State,
} from "./state.ts";
import { BACKING_OFF, doubt, loseAnswer, SECOND_DOUBT, sendsOf, UNDER_WAY } from "./tokens.ts";

/** Time passes for a back-off or a lease, where somebody waits for it. */
export function timeSteps(m: Machine, s: State, act: Act): undefined {
  const waits = (place: "back-off" | "waiting" | "held-elsewhere" | "locking"): boolean => {
    for (let p = 0; p < m.processes; p += 1) if (isAt(s, p, place)) return true;
    return false;
  };
  const isBackOff = waits("back-off");
  const isLeaseAwaited =
    m.scenario.lock !== "proves death" && (waits("waiting") || waits("held-elsewhere") || waits("locking"));
  if (!isBackOff && !isLeaseAwaited) return;
  for (let refreshToken = 1; refreshToken <= CREDENTIALS; refreshToken += 1) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const record = recordAt(refreshToken, attempt);
      const state = stateAt(s, record);
      if (state === NONE) continue;
      const owner = ownerAt(s, record);
      const isPutOff = state === UNKNOWN || state === DEFERRED || owner === 0;
      if (isBackOff && hasMark(s, record, PUT_OFF) && isPutOff) {
        act("back-off ends", (n) => endBackOff(m, n, refreshToken, attempt));
      }
      const isAbandoned = owner === 0 || hasFlag(s, owner - 1, FROZEN);
      const mayEnd = state === CLAIMED || state === HELD || state === UNREADABLE;
      if (isLeaseAwaited && hasMark(s, record, LEASED) && isAbandoned && mayEnd) {
        act("lease ends", (n) => endLease(m, n, record, refreshToken));
      }
    }
  }
}

function endBackOff(m: Machine, n: State, refreshToken: number, attempt: number): undefined {
  setMark(n, recordAt(refreshToken, attempt), PUT_OFF, false);
  n[SENDS + refreshToken] = sendsOf(n, refreshToken) & ~BACKING_OFF;
  for (let p = 0; p < m.processes; p += 1) n[at(p, FLAGS)] = of(n, p, FLAGS) & ~64;
  // The first wait is within a server's grace; what comes after a second failure is not.
  const isFirst = attempt === 1 || (sendsOf(n, refreshToken) & SECOND_DOUBT) === 0;
  if (isFirst && m.rules["early-retry"]) return;
  const family = FAMILY + familyOf(refreshToken);
  n[family] = get(n, family) & ~GRACE;
  if (m.scenario.server === "rotates with grace" && (sendsOf(n, refreshToken) & SECOND_DOUBT) !== 0) {
    enterWindow(n, "lost answer");
  }
}

/** A lease has run out: whoever slept through it has lost its locks. */
function endLease(m: Machine, n: State, record: number, refreshToken: number): undefined {
  setMark(n, record, LEASED, false);
  // A lease is longer than the first back-offs, which are counted from the claim as well.
  setMark(n, record, PUT_OFF, false);
  n[SENDS + refreshToken] = sendsOf(n, refreshToken) & ~BACKING_OFF;
  const owner = ownerAt(n, record);
  if (owner === 0) return;
  setOwnerAt(n, record, 0);
  n[HOLDERS] = get(n, HOLDERS) & ~(1 << (owner - 1));
  const isBeforeSend = isAt(n, owner - 1, "recheck") || isAt(n, owner - 1, "send");
  if (!isBeforeSend) {
    enterWindow(n, "freeze past the lease");
    n[at(owner - 1, OVERSLEPT)] = 1;
  }
  if ((sendsOf(n, refreshToken) & 7) === UNDER_WAY) loseAnswer(m, n, refreshToken);
  else doubt(n, refreshToken);
}
