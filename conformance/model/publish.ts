import {
  type Act,
  breakPromise,
  conclude,
  enter,
  isAt,
  isOvertaken,
  LOGIN_TOKENS,
  leave,
  left,
  type Machine,
  use,
} from "./machine.ts";
import {
  ASKED,
  at,
  CURRENT,
  familyOf,
  GOAL,
  hasFlag,
  NOT,
  of,
  PREPARED,
  REJECTED,
  SIGNED_OUT,
  type State,
  UNSAVED,
  UNSAVED_NEXT,
} from "./state.ts";
import { GOAL_ANOTHER, isRejected } from "./tokens.ts";

/** Step 12: installs a credential, ends the flight and gives it to those who wait. */
export function publish(m: Machine, n: State, p: number, credential: number): undefined {
  const mine = of(n, p, CURRENT);
  if (isOvertaken(m, n, p)) {
    conclude(n, p, mine === 0 ? "overtaken" : "handle");
    return leave(n, p, "idle");
  }
  const isOverLogin =
    of(n, p, UNSAVED) === LOGIN_TOKENS && familyOf(of(n, p, UNSAVED_NEXT)) !== familyOf(credential);
  if (isOverLogin) breakPromise(n, "a login was dropped");
  if (hasFlag(n, p, SIGNED_OUT)) breakPromise(n, "a login came back after a logout");
  if (isRejected(n, p, credential)) breakPromise(n, "a rejected handle was handed back");
  if (mine !== 0 && familyOf(mine) === familyOf(credential) && mine > credential) {
    breakPromise(n, "an older generation was adopted");
  }
  const prepared = of(n, p, PREPARED);
  const isOthers =
    prepared !== 0 && prepared !== familyOf(credential) + 1 && m.scenario.otherAccount === true;
  if (isOthers && !m.rules.owner) breakPromise(n, "the wrong account was handed out");
  n[at(p, CURRENT)] = credential;
  conclude(n, p, isOthers ? "replaced" : "handle");
  if (left(n, "late rejection") > 0) enter(n, p, "published");
  else leave(n, p, "idle");
}

/** The lock is still held, the result is out: somebody may already have had it rejected. */
export function publishedSteps(m: Machine, s: State, p: number, act: Act): undefined {
  if (!isAt(s, p, "published")) return;
  act("let go", (n) => leave(n, p, "idle"));
  if (left(s, "late rejection") === 0) return;
  act("reject what was just published", (n) => {
    use(n, "late rejection");
    const mine = of(n, p, CURRENT);
    n[at(p, REJECTED)] = of(n, p, REJECTED) | (1 << (mine - 1));
    if (!m.rules["flight-tail"]) breakPromise(n, "a rejected handle was handed back");
    leave(n, p, "locking");
    n[at(p, GOAL)] = GOAL_ANOTHER;
    n[at(p, NOT)] = mine;
    n[at(p, ASKED)] = of(n, p, ASKED) - 1;
  });
}
