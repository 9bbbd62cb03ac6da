import { chanceOf } from "../chance.ts";
import { judgeEnd } from "../ends.ts";
import { initialState } from "../initial-state.ts";
import { type Action, type Broken, isAt, type Machine, PLACES, PROMISES } from "../machine.ts";
import { observe } from "../observe.ts";
import { type RuleSet, rulesWithout } from "../rules.ts";
import type { Scenario } from "../scenario.ts";
import {
  at,
  BROKEN,
  FROZEN,
  GOAL,
  get,
  HOLDERS,
  hasFlag,
  ORPHANS,
  of,
  PC,
  PENDING,
  STATE_BYTES,
  type State,
  UNSAVED,
} from "../state.ts";
import { successors } from "../successors.ts";

/** One step of a walk, with the states around it. */
export interface WalkStep {
  readonly action: Action;
  readonly process: number;
  readonly before: State;
  readonly after: State;
}

export interface Walk {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly first: State;
  readonly steps: readonly WalkStep[];
  /** The promise it broke, in a model without one of its rules. */
  readonly broken: Broken | undefined;
}

const LONGEST_WALK = 400;
const ANYTIME: readonly Action[] = ["back-off ends", "lease ends", "access token runs out", "thaw"];

/**
 * A run of the model, from its beginning to its end, picked by chance, among those that a real engine can be led
 * through: undefined when chance led elsewhere.
 */
export function walk(scenario: Scenario, seed: number, rules: RuleSet = rulesWithout()): Walk | undefined {
  const random = chanceOf(seed);
  const scratch = new Uint8Array(STATE_BYTES);
  let choices: WalkStep[] = [];
  let here: State = initialState(scenario, scenario.faults);
  const machine: Machine = {
    scenario,
    rules,
    processes: scenario.asks.length,
    from(s) {
      scratch.set(s);
      return scratch;
    },
    emit(n, action, process) {
      observe(machine, here, n, action, process);
      choices.push({ action, process, before: here, after: n.slice() });
    },
  };
  const first = here;
  const steps: WalkStep[] = [];
  while (steps.length < LONGEST_WALK) {
    choices = [];
    successors(machine, here);
    if (choices.length === 0) return { scenario, seed, first, steps, broken: judgeEnd(machine, here) };
    const possible = choices.filter((choice) => isLeadable(machine, here, choice, steps.at(-1)));
    const next = possible[Math.floor(random() * possible.length)];
    if (!next) return undefined;
    steps.push(next);
    here = next.after;
    const broken = PROMISES[get(here, BROKEN)];
    if (get(here, BROKEN) !== 0) return { scenario, seed, first, steps, broken };
  }
  return undefined;
}

/** Whether the engine can be stopped before and after this step. */
function isLeadable(m: Machine, s: State, choice: WalkStep, last: WalkStep | undefined): boolean {
  // The engine reads the store and its record in one go.
  for (let p = 0; p < m.processes; p += 1) {
    if (isAt(s, p, "judge")) return choice.process === p && choice.action === "judge";
    const isFlushed = isAt(s, p, "read") && last?.process === p && last.action !== "take the lock";
    if (isFlushed) return choice.process === p && choice.action === "read";
  }
  // Moving the clock would let the time of a hold run out; not that of a process that sleeps.
  if (ANYTIME.includes(choice.action)) return !isHeldAwake(m, s, choice.action);
  const p = choice.process;
  // A login or logout beside a flight of the same process is two activities at once.
  const isResting = p < m.processes && isAt(s, p, "idle") && of(s, p, GOAL) === 0;
  if (choice.action === "log in" || choice.action === "log out") {
    return isResting && of(s, p, UNSAVED) === 0 && of(s, p, PENDING) === 0;
  }
  if (choice.action === "ask") return of(s, p, UNSAVED) === 0 && of(s, p, PENDING) === 0;
  return true;
}

function isHeldAwake(m: Machine, s: State, action: Action): boolean {
  const holders = get(s, HOLDERS) | get(s, ORPHANS);
  for (let p = 0; p < m.processes; p += 1) {
    const isAsleep = action === "lease ends" && hasFlag(s, p, FROZEN);
    if ((holders & (1 << p)) !== 0 && !isAsleep) return true;
  }
  return false;
}

/** Where a process stands in a state. */
export function placeOf(s: State, process: number): (typeof PLACES)[number] {
  return PLACES[s[at(process, PC)] as number] ?? "idle";
}
