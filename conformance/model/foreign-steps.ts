import { type Act, enterWindow, isAt, left, type Machine, use } from "./machine.ts";
import { BASE, FOREIGN, get, of, STORE, type State } from "./state.ts";
import { redeem, refreshTokenOf, sendsOf } from "./tokens.ts";

/** A program that shares the store and takes none of our locks. */
export function foreignSteps(m: Machine, s: State, act: Act): undefined {
  const stored = get(s, STORE);
  if (left(s, "foreign writer") > 0 && stored !== 0 && get(s, FOREIGN) === 0) {
    act("foreign writer spends", (n) => {
      use(n, "foreign writer");
      const refreshToken = refreshTokenOf(m, stored);
      if (sendsOf(n, refreshToken) !== 0 || isBeingClaimed(m, n, refreshToken))
        enterWindow(n, "foreign writer");
      n[FOREIGN] = redeem(m, n, refreshToken);
    });
  }
  if (get(s, FOREIGN) !== 0) {
    act("foreign writer saves", (n) => {
      n[STORE] = get(n, FOREIGN);
      n[FOREIGN] = 0;
    });
  }
}

function isBeingClaimed(m: Machine, s: State, refreshToken: number): boolean {
  for (let p = 0; p < m.processes; p += 1) {
    const isClaimed = isAt(s, p, "recheck") || isAt(s, p, "send") || isAt(s, p, "sent");
    if (isClaimed && refreshTokenOf(m, of(s, p, BASE)) === refreshToken) return true;
  }
  return false;
}
