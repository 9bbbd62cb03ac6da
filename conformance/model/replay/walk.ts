import { chanceOf } from "../chance.ts";
import { judgeEnd } from "../ends.ts";
import { type Action, type Broken, isAt, type Machine, PLACES, PROMISES } from "../machine.ts";
import { type RuleSet, rulesWithout } from "../rules.ts";
import type { Scenario } from "../scenario.ts";
import {
  ANSWER,
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
  type State,
  UNSAVED,
} from "../state.ts";
import { type RunStep, stepper } from "../stepper.ts";

export interface Walk {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly first: State;
  readonly steps: readonly RunStep[];
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
  const { machine, first: begin, choices } = stepper(scenario, rules);
  const first = begin();
  let here = first;
  const steps: RunStep[] = [];
  while (steps.length < LONGEST_WALK) {
    const all = choices(here);
    if (all.length === 0) return { scenario, seed, first, steps, broken: judgeEnd(machine, here) };
    const possible = all.filter((choice) => isLeadable(machine, here, choice, steps.at(-1)));
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
function isLeadable(m: Machine, s: State, choice: RunStep, last: RunStep | undefined): boolean {
  // The engine reads the store and its record in one go.
  for (let p = 0; p < m.processes; p += 1) {
    if (isAt(s, p, "judge")) return choice.process === p && choice.action === "judge";
    const isFlushed = isAt(s, p, "read") && last?.process === p && last.action !== "take the lock";
    if (isFlushed) return choice.process === p && choice.action === "read";
  }
  // Moving the clock would let the time of a hold run out; not that of a process that sleeps.
  if (ANYTIME.includes(choice.action)) {
    // An engine counts a token's time from when it has the answer.
    const isOnItsWay = choice.action === "access token runs out" && isAnswerOnItsWay(m, s);
    return !isOnItsWay && !isHeldAwake(m, s, choice.action);
  }
  const p = choice.process;
  // A login or logout beside a flight of the same process is two activities at once.
  const isResting = p < m.processes && isAt(s, p, "idle") && of(s, p, GOAL) === 0;
  if (choice.action === "log in" || choice.action === "log out") {
    return isResting && of(s, p, UNSAVED) === 0 && of(s, p, PENDING) === 0;
  }
  if (choice.action === "ask") return of(s, p, UNSAVED) === 0 && of(s, p, PENDING) === 0;
  return true;
}

function isAnswerOnItsWay(m: Machine, s: State): boolean {
  for (let p = 0; p < m.processes; p += 1) {
    if (of(s, p, ANSWER) !== 0 || isAt(s, p, "answered") || isAt(s, p, "commit")) return true;
  }
  return false;
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
