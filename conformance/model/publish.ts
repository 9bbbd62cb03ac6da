import { type Act, conclude, enter, isAt, isOvertaken, leave, left, type Machine, use } from "./machine.ts";
import { ASKED, at, CURRENT, GOAL, NOT, of, PREPARED, REJECTED, type State, setBit } from "./state.ts";
import { accountOf, GOAL_ANOTHER } from "./tokens.ts";

/** Step 12: installs a credential, ends the flight and gives it to those who wait. */
export function publish(m: Machine, n: State, p: number, credential: number): undefined {
  const mine = of(n, p, CURRENT);
  if (isOvertaken(m, n, p)) {
    conclude(n, p, mine === 0 ? "overtaken" : "handle");
    return leave(n, p, "idle");
  }
  const prepared = of(n, p, PREPARED);
  const isOthers =
    prepared !== 0 && m.rules.owner && accountOf(m, n, prepared) !== accountOf(m, n, credential);
  n[at(p, CURRENT)] = credential;
  conclude(n, p, isOthers ? "replaced" : "handle");
  if (left(n, "late rejection") > 0) enter(n, p, "published");
  else leave(n, p, "idle");
}

/** The lock is still held, the result is out: somebody may already have had it rejected. */
export function publishedSteps(m: Machine, s: State, p: number, act: Act): undefined {
  if (!isAt(s, p, "published")) return;
  act("let go", (n) => {
    if (of(n, p, GOAL) !== 0) conclude(n, p, "handle");
    leave(n, p, "idle");
  });
  if (left(s, "late rejection") === 0) return;
  act("reject what was just published", (n) => {
    use(n, "late rejection");
    const mine = of(n, p, CURRENT);
    setBit(n, at(p, REJECTED), mine);
    // Whoever joins a flight that is over gets what it brought.
    if (m.rules["flight-tail"]) leave(n, p, "locking");
    n[at(p, GOAL)] = GOAL_ANOTHER;
    n[at(p, NOT)] = mine;
    n[at(p, PREPARED)] = mine;
    n[at(p, ASKED)] = of(n, p, ASKED) - 1;
  });
}
