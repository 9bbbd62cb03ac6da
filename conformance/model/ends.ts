import { isExcused } from "./excuse.ts";
import { type Broken, type Machine, PLACE } from "./machine.ts";
import { isLoginUsable, isWrongOwnerSealed } from "./reach.ts";
import { GOAL, get, LOGIN, of, PC, PENDING, STORE, type State, UNSAVED } from "./state.ts";

/** Judges a state in which nothing can happen any more. */
export function judgeEnd(m: Machine, s: State): Broken | undefined {
  for (let p = 0; p < m.processes; p += 1) {
    const isBusy = of(s, p, PC) !== PLACE.idle || of(s, p, GOAL) !== 0;
    if (isBusy || of(s, p, PENDING) !== 0 || of(s, p, UNSAVED) !== 0) return "somebody waits for ever";
  }
  if (get(s, LOGIN) === 0) {
    return get(s, STORE) === 0 || m.scenario.backAfterLogout ? undefined : "a login came back after a logout";
  }
  if (isLoginUsable(m, s) || isWrongOwnerSealed(m, s)) return undefined;
  return isExcused(m, s) ? undefined : "a login was lost";
}
