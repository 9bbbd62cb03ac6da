import {
  type Act,
  enter,
  FLUSHING,
  LOGIN_TOKENS,
  leave,
  left,
  type Machine,
  SAVING,
  use,
} from "./machine.ts";
import { ownerAt, recordAt, setOwnerAt } from "./spend-record.ts";
import {
  ATTEMPT,
  ATTEMPTS,
  at,
  BASE,
  CREDENTIALS,
  familyOf,
  GOAL,
  get,
  LATER_WORD,
  LOGIN,
  MODE,
  NEXT,
  OVER,
  of,
  STORE,
  type State,
  setFlag,
  UNSAVED,
  UNSAVED_ATTEMPT,
  UNSAVED_BASE,
  UNSAVED_NEXT,
} from "./state.ts";

/** Step 3. */
export function flush(m: Machine, s: State, p: number, act: Act): undefined {
  const mode = of(s, p, MODE);
  const isSaving = mode === SAVING;
  const what = of(s, p, UNSAVED);
  if (what === 0 || (!isSaving && !m.rules["flush-first"])) {
    return act("look again", (n) => (isSaving ? leave(n, p, "idle") : enter(n, p, "read")));
  }
  if (what === LOGIN_TOKENS) return saveLogin(m, s, p, act);
  act("begin to save", (n) => {
    n[at(p, BASE)] = of(n, p, UNSAVED_BASE);
    n[at(p, NEXT)] = of(n, p, UNSAVED_NEXT);
    n[at(p, ATTEMPT)] = of(n, p, UNSAVED_ATTEMPT);
    n[at(p, MODE)] = isSaving ? SAVING : FLUSHING;
    enter(n, p, "commit");
  });
}

function saveLogin(m: Machine, s: State, p: number, act: Act): undefined {
  const isSaving = of(s, p, MODE) === SAVING;
  const proceed = (n: State): undefined => (isSaving ? leave(n, p, "idle") : enter(n, p, "read"));
  if (left(s, "save fails") > 0) {
    act("fail to save the login", (n) => {
      use(n, "save fails");
      if (m.rules["login-kept"]) n[at(p, OVER)] = of(n, p, UNSAVED_BASE);
      else forget(n, p);
      leave(n, p, of(n, p, GOAL) === 0 ? "idle" : "locking");
    });
  }
  act("save the login", (n) => {
    const over = of(n, p, OVER);
    const stored = get(n, STORE);
    const storedFamily = stored === 0 ? 1 : familyOf(stored) + 2;
    if (m.rules["login-over"] && over !== 0 && over !== storedFamily) {
      // Somebody logged in or out since: theirs is the later word.
      forget(n, p);
      releaseHeld(n, p);
      return proceed(n);
    }
    const credential = of(n, p, UNSAVED_NEXT);
    n[STORE] = credential;
    n[LOGIN] = familyOf(credential) + 1;
    for (let q = 0; q < m.processes; q += 1) {
      if (q !== p && of(n, q, UNSAVED) === LOGIN_TOKENS) setFlag(n, q, LATER_WORD);
    }
    forget(n, p);
    releaseHeld(n, p);
    proceed(n);
  });
}

/** What a login replaced may be taken for dead once the login is saved. */
export function releaseHeld(n: State, p: number): undefined {
  for (let record = recordAt(1, 1); record <= recordAt(CREDENTIALS, ATTEMPTS); record += 2) {
    if (ownerAt(n, record) === p + 1) setOwnerAt(n, record, 0);
  }
}

export function forget(n: State, p: number): undefined {
  for (const field of [UNSAVED, UNSAVED_NEXT, UNSAVED_BASE, UNSAVED_ATTEMPT, OVER]) n[at(p, field)] = 0;
}
