import { REFUSAL } from "./answer-steps.ts";
import { crash, isWorthKilling, tornSeals } from "./crash-steps.ts";
import { foreignSteps } from "./foreign-steps.ts";
import { type Act, enterWindow, holdsLock, isAt, left, type Machine, use } from "./machine.ts";
import { isReachable } from "./reach.ts";
import { serverSteps } from "./server-steps.ts";
import { clearRecord, recordAt } from "./spend-record.ts";
import {
  ATTEMPT,
  ATTEMPTS,
  at,
  BACKUP,
  CREDENTIALS,
  DRIFTED,
  dropFlag,
  EXPIRED,
  FAMILY,
  FROZEN,
  familyOf,
  get,
  HOLDERS,
  hasBit,
  hasFlag,
  LOGIN,
  NEXT,
  ORPHANS,
  of,
  REVOKED,
  SIGNED_OFF,
  STORE,
  type State,
  setBit,
  setFlag,
} from "./state.ts";
import { timeSteps } from "./time-steps.ts";
import { sendsOf } from "./tokens.ts";

/** What the server, the network and the machine do to one process. */
export function worldSteps(m: Machine, s: State, p: number, act: Act): undefined {
  serverSteps(m, s, p, act);
  const isSealing = isAt(s, p, "answered") && of(s, p, NEXT) < REFUSAL;
  if (isSealing && left(s, "torn seal") > 0) tornSeals(m, s, p, act);
  if (left(s, "crash") > 0 && isWorthKilling(m, s, p)) {
    act("crash", (n) => {
      use(n, "crash");
      crash(m, n, p);
    });
  }
  if (left(s, "freeze") > 0 && !hasFlag(s, p, FROZEN) && holdsLock(s, p) && of(s, p, ATTEMPT) !== 0) {
    act("freeze", (n) => {
      use(n, "freeze");
      setFlag(n, p, FROZEN);
    });
  }
  if (hasFlag(s, p, FROZEN)) {
    act("thaw", (n) => {
      dropFlag(n, p, FROZEN);
      setFlag(n, p, DRIFTED);
    });
  }
}

/** What happens to the machine as a whole. */
export function commonSteps(m: Machine, s: State, act: Act): undefined {
  const { scenario } = m;
  const stored = get(s, STORE);
  const backup = get(s, BACKUP);
  if (left(s, "store goes back") > 0) {
    const isSameLogin = stored !== 0 && familyOf(stored) === familyOf(backup) && stored !== backup;
    if (isSameLogin || (stored === 0 && scenario.backAfterLogout && isLoggedOut(s))) {
      act("store goes back", (n) => {
        use(n, "store goes back");
        n[STORE] = backup;
        // Whoever restores it after a logout wants it.
        if (stored === 0) for (let q = 0; q < m.processes; q += 1) n[at(q, SIGNED_OFF)] = 0;
        // Bodies do not reach the newest from there: only a process that lives and knows it can bring it back.
        if (isSameLogin && !isReachable(m, n)) enterWindow(n, "older than the bodies");
      });
    }
  }
  if (left(s, "expiry") > 0 && stored !== 0 && !hasBit(s, EXPIRED, stored)) {
    act("access token runs out", (n) => {
      use(n, "expiry");
      setBit(n, EXPIRED, stored);
    });
  }
  foreignSteps(m, s, act);
  if (left(s, "lock removed") > 0 && get(s, HOLDERS) !== 0) {
    act("lock is removed", (n) => {
      use(n, "lock removed");
      removeLock(n);
    });
  }
  if (left(s, "home removed") > 0 && get(s, HOLDERS) !== 0 && hasOnlyClaims(m, s)) {
    act("home is removed", (n) => {
      use(n, "home removed");
      removeLock(n);
      for (let record = recordAt(1, 1); record <= recordAt(CREDENTIALS, ATTEMPTS); record += 2) {
        clearRecord(n, record);
      }
    });
  }
  timeSteps(m, s, act);
}

/** A logout is over, its revocation included. */
function isLoggedOut(s: State): boolean {
  return get(s, LOGIN) === 0 && (get(s, FAMILY) & REVOKED) !== 0;
}

function removeLock(n: State): undefined {
  n[ORPHANS] = get(n, ORPHANS) | get(n, HOLDERS);
  n[HOLDERS] = 0;
}

/** Nothing has been sent yet that a record would have to remember. */
function hasOnlyClaims(m: Machine, s: State): boolean {
  for (let refreshToken = 1; refreshToken <= CREDENTIALS; refreshToken += 1) {
    if ((sendsOf(s, refreshToken) & 7) !== 0) return false;
  }
  return m.processes > 0;
}
