import { chanceOf } from "./chance.ts";
import { judgeEnd } from "./ends.ts";
import type { Exploration, Step } from "./explore.ts";
import { initialState } from "./initial-state.ts";
import { type Broken, type Machine, PROMISES } from "./machine.ts";
import { observe } from "./observe.ts";
import { type RuleSet, rulesWithout } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { BROKEN, get, STATE_BYTES, type State } from "./state.ts";
import { successors } from "./successors.ts";

export interface SampleOptions {
  /** How many runs, from the beginning to where nothing can happen any more. */
  readonly runs: number;
  /** @defaultValue all */
  readonly rules?: RuleSet | undefined;
}

const LONGEST_RUN = 1000;

/** Runs of a scenario that chance picks, where there are too many to go through all: `states` counts their steps. */
export function sample(scenario: Scenario, { runs, rules = rulesWithout() }: SampleOptions): Exploration {
  const scratch = new Uint8Array(STATE_BYTES);
  let here: State = initialState(scenario, scenario.faults);
  let choices: { step: Step; after: State }[] = [];
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
      choices.push({ step: { action, process }, after: n.slice() });
    },
  };
  let states = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = chanceOf(seed);
    const run: Step[] = [];
    here = initialState(scenario, scenario.faults);
    let broken: Broken | undefined;
    while (!broken) {
      choices = [];
      successors(machine, here);
      const next = choices[Math.floor(random() * choices.length)];
      if (!next) broken = judgeEnd(machine, here);
      if (!next) break;
      run.push(next.step);
      here = next.after;
      if (get(here, BROKEN) !== 0) broken = PROMISES[get(here, BROKEN)];
      else if (run.length > LONGEST_RUN) broken = "somebody waits for ever";
    }
    states += run.length;
    if (broken) return { states, ends: seed, failure: { broken, run } };
  }
  return { states, ends: runs, failure: undefined };
}
