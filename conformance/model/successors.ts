import { RESTARTED } from "./crash-steps.ts";
import { ownerOf } from "./judge.ts";
import { loginSteps, mayBeginPending } from "./login-steps.ts";
import { type Act, type Action, conclude, enter, isAt, type Machine, PLACES, SAVING } from "./machine.ts";
import { nextStep } from "./next-step.ts";
import { publishedSteps } from "./publish.ts";
import { refreshSteps } from "./refresh-steps.ts";
import { saveSteps } from "./save-steps.ts";
import type { Ask } from "./scenario.ts";
import {
  bodyAt,
  countingAttempt,
  hasMark,
  LEASED,
  ownerAt,
  PUT_OFF,
  recordAt,
  stateAt,
  successorAt,
} from "./spend-record.ts";
import {
  ASKED,
  at,
  CURRENT,
  DRIFTED,
  dropFlag,
  EPOCH_MOVED,
  FROZEN,
  GOAL,
  get,
  HOLDERS,
  hasFlag,
  MODE,
  NOT,
  OWN_BACKOFF,
  of,
  PC,
  PREPARED,
  REJECTED,
  SIGNED_OUT,
  STORE,
  type State,
  setBit,
  UNSAVED,
} from "./state.ts";
import { GOAL_ANOTHER, GOAL_USE, isExpired, isRejected, refreshTokenOf } from "./tokens.ts";
import { commonSteps, worldSteps } from "./world-steps.ts";

/** Everything that can happen next. */
export function successors(m: Machine, s: State): undefined {
  for (let p = 0; p < m.processes; p += 1) {
    const act = actOf(m, s, p);
    if (!hasFlag(s, p, FROZEN)) {
      waitSteps(m, s, p, act);
      refreshSteps(m, s, p, act);
      saveSteps(m, s, p, act);
      publishedSteps(m, s, p, act);
      loginSteps(m, s, p, act);
    }
    worldSteps(m, s, p, act);
  }
  commonSteps(m, s, actOf(m, s, m.processes));
}

function actOf(m: Machine, s: State, p: number): Act {
  return (action: Action, change) => {
    const n = m.from(s);
    change(n);
    m.emit(n, action, p);
  };
}

/** Steps of a process that does not hold the lock. */
function waitSteps(m: Machine, s: State, p: number, act: Act): undefined {
  switch (PLACES[of(s, p, PC)]) {
    case "idle": {
      if (mayBeginPending(s, p)) act("look again", (n) => enter(n, p, "logging-out"));
      if (of(s, p, UNSAVED) !== 0) act("begin to save", (n) => enter(n, p, "saving"));
      const next = askOf(m, s, p);
      if (next) act("ask", (n) => ask(n, p, next));
      return;
    }
    case "locking":
      if (isLockFree(m, s)) act("take the lock", (n) => takeLock(n, p, 0));
      return;
    case "saving":
      if (isLockFree(m, s)) act("take the lock", (n) => takeLock(n, p, SAVING));
      return;
    case "logging-out":
      if (isLockFree(m, s)) {
        act("take the lock", (n) => {
          takeLock(n, p, 0);
          enter(n, p, "remove");
        });
      }
      return;
    case "back-off":
    case "waiting":
    case "held-elsewhere":
      if (mayBeginPending(s, p)) {
        return act("look again", (n) => {
          conclude(n, p, "overtaken");
          enter(n, p, "logging-out");
        });
      }
      if (of(s, p, UNSAVED) !== 0 || mayGoOn(m, s, p)) act("look again", (n) => enter(n, p, "locking"));
      return;
    default:
      return;
  }
}

function askOf(m: Machine, s: State, p: number): Ask | undefined {
  const asked = of(s, p, ASKED);
  if (of(s, p, GOAL) !== 0) return undefined;
  return asked === RESTARTED ? "use" : m.scenario.asks[p]?.[asked];
}

/** A caller comes. What is valid is handed out at once, and a caller who got it may have it rejected. */
function ask(n: State, p: number, what: Ask): undefined {
  if (of(n, p, CURRENT) === 0 && !hasFlag(n, p, SIGNED_OUT)) n[at(p, CURRENT)] = get(n, STORE);
  const mine = of(n, p, CURRENT);
  if (mine === 0) return conclude(n, p, "absent");
  if (what === "use") {
    if (!isExpired(n, mine) && !isRejected(n, p, mine)) return conclude(n, p, "handle");
    n[at(p, GOAL)] = GOAL_USE;
    return enter(n, p, "locking");
  }
  if (what === "reject") setBit(n, at(p, REJECTED), mine);
  n[at(p, GOAL)] = GOAL_ANOTHER;
  n[at(p, NOT)] = mine;
  n[at(p, PREPARED)] = mine;
  enter(n, p, "locking");
}

function isLockFree(m: Machine, s: State): boolean {
  return m.scenario.lock === "excludes nobody" || get(s, HOLDERS) === 0;
}

function takeLock(n: State, p: number, mode: number): undefined {
  n[HOLDERS] = get(n, HOLDERS) | (1 << p);
  n[at(p, MODE)] = mode;
  dropFlag(n, p, DRIFTED | EPOCH_MOVED);
  enter(n, p, of(n, p, UNSAVED) === 0 && mode !== SAVING ? "read" : "flush");
}

/** What was waited for has come: asked without the lock, as the poll of a record is. */
function mayGoOn(m: Machine, s: State, p: number): boolean {
  const stored = get(s, STORE);
  if (stored === 0) return true;
  const refreshToken = refreshTokenOf(m, stored);
  const attempt = countingAttempt(s, refreshToken, m.rules);
  if (attempt === 0) return true;
  const record = recordAt(refreshToken, attempt);
  const isOwnOnly = !m.rules["shared-back-off"] && !hasFlag(s, p, OWN_BACKOFF);
  const step = nextStep({
    state: stateAt(s, record),
    attempt,
    owner: ownerOf(m, s, record),
    leased: hasMark(s, record, LEASED),
    opens: successorAt(s, record) !== 0,
    due: !hasMark(s, record, PUT_OFF) || isOwnOnly,
    sameSnapshot: bodyAt(s, record) === 2 + stored,
    uncertain: false,
  });
  if (isAt(s, p, "held-elsewhere")) return step.do !== "held" || ownerAt(s, record) === p + 1;
  if (isAt(s, p, "waiting")) return step.do !== "wait";
  return step.do !== "wait" && step.do !== "defer" && step.do !== "held";
}
