import { releaseHeld } from "./flush-steps.ts";
import {
  type Act,
  breakPromise,
  enter,
  isAt,
  LOGIN_TOKENS,
  leave,
  left,
  type Machine,
  PLACES,
  SUCCESSOR,
  use,
} from "./machine.ts";
import { followBodies } from "./reach.ts";
import {
  NONE,
  REFUSED,
  recordAt,
  SEALED,
  SETTLED,
  setBodyAt,
  setOwnerAt,
  setStateAt,
  stateAt,
} from "./spend-record.ts";
import {
  ATTEMPTS,
  at,
  BASE,
  CREDENTIALS,
  CURRENT,
  credentialOf,
  dropFlag,
  ENDED,
  EPOCH_MOVED,
  FAMILY,
  FROZEN,
  familyOf,
  generationOf,
  get,
  hasFlag,
  LATER_WORD,
  LOGIN,
  NEWEST,
  NEXT,
  OVER,
  of,
  PC,
  PENDING,
  REVOKED,
  SIGNED_OFF,
  SIGNED_OUT,
  STORE,
  type State,
  setFlag,
  UNSAVED,
  UNSAVED_ATTEMPT,
  UNSAVED_BASE,
  UNSAVED_NEXT,
} from "./state.ts";
import { refreshTokenOf } from "./tokens.ts";

const LOGOUT_PENDING = 1;

/** Logging in and out: at once in the process, later under the lock. */
export function loginSteps(m: Machine, s: State, p: number, act: Act): undefined {
  const { actors } = m.scenario;
  if (!actors || actors.includes(p)) {
    if (left(s, "login") > 0) act("log in", (n) => beginLogin(n, p, m));
    if (left(s, "logout") > 0) act("log out", (n) => beginLogout(n, p, m));
  }
  switch (PLACES[of(s, p, PC)]) {
    case "remove":
      return act("remove", (n) => remove(m, n, p));
    case "wipe":
      return act("wipe", (n) => {
        if (m.rules["bodies-wiped"]) wipe(n);
        // The lock is free from here on; what was found stays known.
        const found = [of(n, p, BASE), of(n, p, NEXT)] as const;
        leave(n, p, "revoke");
        [n[at(p, BASE)], n[at(p, NEXT)]] = found;
      });
    case "revoke":
      return act("revoke", (n) => revoke(m, n, p));
    default:
      return;
  }
}

/** Whether a process may begin what waits for its own flight to end. */
export function mayBeginPending(s: State, p: number): boolean {
  const isFree =
    isAt(s, p, "idle") || isAt(s, p, "back-off") || isAt(s, p, "held-elsewhere") || isAt(s, p, "waiting");
  return of(s, p, PENDING) === LOGOUT_PENDING && isFree && !hasFlag(s, p, FROZEN);
}

/** The code is exchanged: tokens that were just issued are installed, and are still to be saved. */
function beginLogin(n: State, p: number, m: Machine): undefined {
  use(n, "login");
  if (m.rules["held-until-saved"]) forgetUnsaved(n, p);
  else dropUnsaved(m, n, p);
  const stored = get(n, STORE);
  const credential = credentialOf((m.scenario.faults.login ?? 0) - left(n, "login"), 0);
  n[at(p, CURRENT)] = credential;
  n[at(p, UNSAVED)] = LOGIN_TOKENS;
  n[at(p, UNSAVED_NEXT)] = credential;
  n[at(p, UNSAVED_BASE)] = stored === 0 ? 1 : familyOf(stored) + 2;
  n[at(p, OVER)] = 0;
  dropFlag(n, p, SIGNED_OUT | LATER_WORD);
  setFlag(n, p, EPOCH_MOVED);
}

function beginLogout(n: State, p: number, m: Machine): undefined {
  use(n, "logout");
  for (const known of [of(n, p, CURRENT), of(n, p, UNSAVED_NEXT), get(n, STORE)]) {
    if (known !== 0) n[at(p, SIGNED_OFF)] = of(n, p, SIGNED_OFF) | (1 << familyOf(known));
  }
  n[at(p, PENDING)] = LOGOUT_PENDING;
  if (!m.rules["logout-at-once"]) return;
  n[at(p, CURRENT)] = 0;
  setFlag(n, p, SIGNED_OUT | EPOCH_MOVED);
}

/** What could not be saved is not saved any more, and its record is let go of. */
function dropUnsaved(m: Machine, n: State, p: number): undefined {
  if (of(n, p, UNSAVED) === SUCCESSOR) {
    const record = recordAt(refreshTokenOf(m, of(n, p, UNSAVED_BASE)), of(n, p, UNSAVED_ATTEMPT));
    setOwnerAt(n, record, 0);
  }
  forgetUnsaved(n, p);
}

function forgetUnsaved(n: State, p: number): undefined {
  for (const field of [UNSAVED, UNSAVED_NEXT, UNSAVED_BASE, UNSAVED_ATTEMPT, OVER]) n[at(p, field)] = 0;
}

function remove(m: Machine, n: State, p: number): undefined {
  const stored = get(n, STORE);
  const mine = of(n, p, CURRENT);
  // A login made here since the logout was called is the later word.
  const isLater = mine !== 0 && m.rules["logout-at-once"];
  if (isLater && stored !== 0 && familyOf(stored) === familyOf(mine)) {
    n[at(p, PENDING)] = 0;
    return leave(n, p, "idle");
  }
  const unsaved = isLater ? 0 : of(n, p, UNSAVED_NEXT);
  const newest = unsaved !== 0 ? unsaved : followBodies(m, n, stored);
  if (!isLater && m.rules["logout-drops"]) {
    dropUnsaved(m, n, p);
    releaseHeld(n, p);
  }
  n[at(p, BASE)] = newest;
  n[at(p, NEXT)] = m.rules["revoke-newest"] ? newest : stored;
  n[ENDED] = get(n, ENDED) | of(n, p, SIGNED_OFF) | (stored === 0 ? 0 : 1 << familyOf(stored));
  n[STORE] = 0;
  n[LOGIN] = 0;
  for (let q = 0; q < m.processes; q += 1) {
    if (of(n, q, UNSAVED) === LOGIN_TOKENS) setFlag(n, q, LATER_WORD);
  }
  enter(n, p, "wipe");
}

function wipe(n: State): undefined {
  for (let refreshToken = 1; refreshToken <= CREDENTIALS; refreshToken += 1) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const record = recordAt(refreshToken, attempt);
      const state = stateAt(n, record);
      if (state === NONE || state === REFUSED) continue;
      setBodyAt(n, record, 0);
      if (state === SEALED) setStateAt(n, record, SETTLED);
    }
  }
}

function revoke(m: Machine, n: State, p: number): undefined {
  end(n, of(n, p, NEXT), m);
  const newest = of(n, p, BASE);
  if (newest !== 0 && isStillLive(n, newest, m)) breakPromise(n, "a logout left a live token behind");
  dropFlag(n, p, SIGNED_OUT);
  n[at(p, PENDING)] = 0;
  leave(n, p, "idle");
}

/** A server that is shown a refresh token it has replaced has nothing to revoke. */
function end(n: State, credential: number, m: Machine): undefined {
  if (credential === 0 || !isStillLive(n, credential, m)) return;
  const family = FAMILY + familyOf(credential);
  n[family] = get(n, family) | REVOKED;
}

function isStillLive(s: State, credential: number, m: Machine): boolean {
  const family = familyOf(credential);
  if ((get(s, FAMILY + family) & REVOKED) !== 0) return false;
  return m.scenario.server === "keeps" || get(s, NEWEST + family) === generationOf(credential);
}
