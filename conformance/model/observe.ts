import {
  type Action,
  type Broken,
  breakPromise,
  LOGIN_TOKENS,
  type Machine,
  PLACE,
  RESULTS,
} from "./machine.ts";
import {
  ASKED,
  BASE,
  CURRENT,
  ENDED,
  EPOCH_MOVED,
  familyOf,
  get,
  hasBit,
  hasFlag,
  LATER_WORD,
  LOGIN,
  NOT,
  OTHERS,
  OVER,
  of,
  PC,
  PENDING,
  PREPARED,
  RESULT,
  SIGNED_OFF,
  STORE,
  type State,
  UNSAVED,
  UNSAVED_NEXT,
} from "./state.ts";
import { accountOf, isExpired, isRejected, refreshTokenOf } from "./tokens.ts";

/**
 * Judges one step from outside, by the states around it and by what no process knows, whatever rules there are: what
 * was put into the store, what a process holds from now on, and what was handed to those who asked.
 */
export function observe(m: Machine, before: State, after: State, action: Action, p: number): undefined {
  if (p >= m.processes || action.startsWith("crash")) return;
  const broken =
    ofSending(before, after, p) ??
    ofVerdict(m, before, after, p) ??
    ofStore(before, after, action, p) ??
    ofHolding(before, after, action, p) ??
    ofHandle(m, before, after, p) ??
    ofLogin(before, after, action, p);
  if (broken) breakPromise(after, broken);
}

/** A login or logout of this process ends at once what it would spend. */
function ofSending(before: State, after: State, p: number): Broken | undefined {
  const isSent = of(before, p, PC) === PLACE.send && of(after, p, PC) === PLACE.sent;
  if (!isSent || !hasFlag(before, p, EPOCH_MOVED)) return undefined;
  return "a token was sent for what a login or logout had ended";
}

/** A login is called dead only while the store still holds what was judged. */
function ofVerdict(m: Machine, before: State, after: State, p: number): Broken | undefined {
  if (of(after, p, ASKED) !== of(before, p, ASKED) + 1) return undefined;
  const verdict = RESULTS[of(after, p, RESULT)];
  if (verdict !== "refused" && verdict !== "interrupted" && verdict !== "superseded") return undefined;
  const stored = get(before, STORE);
  const isJudged = stored !== 0 && refreshTokenOf(m, stored) === refreshTokenOf(m, of(before, p, BASE));
  return isJudged ? undefined : "a diagnosis was wrong";
}

function ofStore(before: State, after: State, action: Action, p: number): Broken | undefined {
  const stored = get(after, STORE);
  const was = get(before, STORE);
  if (stored === 0 || stored === was) return undefined;
  // What is saved while a logout waits for the lock is removed by it.
  const ended = get(before, ENDED) | (of(before, p, PENDING) === 0 ? of(before, p, SIGNED_OFF) : 0);
  if (hasEnded(ended, stored)) return "a login came back after a logout";
  const login = get(before, LOGIN);
  // A login that is saved at once comes over whatever is there; one that was kept, only if nobody has spoken since.
  const isSpoken = of(before, p, OVER) === 0 || !hasFlag(before, p, LATER_WORD);
  const mayReplace = action === "save the login" ? isSpoken : login === familyOf(stored) + 1;
  if (!mayReplace) return login === 0 ? "a login came back after a logout" : "a login was overwritten";
  if (hasBit(after, OTHERS, stored)) return "the wrong account was saved";
  const isOlder = was !== 0 && familyOf(was) === familyOf(stored) && was > stored;
  return isOlder ? "an older generation was saved over a newer one" : undefined;
}

function ofHolding(before: State, after: State, action: Action, p: number): Broken | undefined {
  const was = of(before, p, CURRENT);
  const now = of(after, p, CURRENT);
  if (action === "log out" && now !== 0) return "a login came back after a logout";
  if (now === 0 || now === was || action === "log in") return undefined;
  if (hasEnded(of(after, p, SIGNED_OFF), now)) return "a login came back after a logout";
  if (hasBit(after, OTHERS, now)) return "the wrong account was installed";
  const isOverLogin =
    of(after, p, UNSAVED) === LOGIN_TOKENS && familyOf(of(after, p, UNSAVED_NEXT)) !== familyOf(now);
  if (isOverLogin) return "a login was dropped";
  const isOlder = was !== 0 && familyOf(was) === familyOf(now) && was > now;
  return isOlder ? "an older generation was adopted" : undefined;
}

function ofHandle(m: Machine, before: State, after: State, p: number): Broken | undefined {
  const isHandedOut =
    of(after, p, ASKED) === of(before, p, ASKED) + 1 && RESULTS[of(after, p, RESULT)] === "handle";
  if (!isHandedOut) return undefined;
  const handle = of(after, p, CURRENT);
  if (handle === 0) return "nothing was handed out as a handle";
  if (hasEnded(of(after, p, SIGNED_OFF), handle)) return "a login came back after a logout";
  const prepared = of(before, p, PREPARED);
  const isAnothers = prepared !== 0 && accountOf(m, before, prepared) !== accountOf(m, after, handle);
  if (isAnothers || hasBit(after, OTHERS, handle)) return "the wrong account was handed out";
  if (isRejected(before, p, handle) || of(before, p, NOT) === handle)
    return "a rejected handle was handed back";
  // What has just come may run out at once; so may a login made here, which is handed out as it is.
  const isOld = of(before, p, CURRENT) === handle && !hasFlag(before, p, EPOCH_MOVED);
  return isOld && isExpired(before, handle) ? "an expired handle was handed out" : undefined;
}

/** A login that could not be saved goes only where it is saved, or where somebody has spoken since. */
function ofLogin(before: State, after: State, action: Action, p: number): Broken | undefined {
  const login = of(before, p, UNSAVED_NEXT);
  if (of(before, p, UNSAVED) !== LOGIN_TOKENS || of(after, p, UNSAVED_NEXT) === login) return undefined;
  const isLater =
    action === "log in" || hasFlag(before, p, LATER_WORD) || hasEnded(of(after, p, SIGNED_OFF), login);
  return isLater || get(after, STORE) === login ? undefined : "a login was dropped";
}

function hasEnded(families: number, credential: number): boolean {
  return (families & (1 << familyOf(credential))) !== 0;
}
