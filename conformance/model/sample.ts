import { chanceOf } from "./chance.ts";
import { judgeEnd } from "./ends.ts";
import type { Exploration, Step } from "./explore.ts";
import { type Broken, PROMISES } from "./machine.ts";
import { type RuleSet, rulesWithout } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { TooManyAttempts } from "./spend-record.ts";
import { BROKEN, get, type State } from "./state.ts";
import { stepper } from "./stepper.ts";

export interface SampleOptions {
  /** How many runs, from the beginning to where nothing can happen any more. */
  readonly runs: number;
  /** @defaultValue all */
  readonly rules?: RuleSet | undefined;
}

const LONGEST_RUN = 1000;

/**
 * Runs of a scenario that chance picks, where there are too many to go through all: `states` counts their steps. A run
 * for which a state has no room ends there.
 */
export function sample(scenario: Scenario, { runs, rules = rulesWithout() }: SampleOptions): Exploration {
  const { machine, first, choices } = stepper(scenario, rules);
  const choicesIn = (here: State) => {
    try {
      return choices(here);
    } catch (error) {
      if (error instanceof TooManyAttempts) return undefined;
      throw error;
    }
  };
  let states = 0;
  let ends = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = chanceOf(seed);
    const run: Step[] = [];
    let here = first();
    let broken: Broken | undefined;
    while (!broken) {
      const all = choicesIn(here);
      if (!all) break;
      const next = all[Math.floor(random() * all.length)];
      if (!next) {
        ends += 1;
        broken = judgeEnd(machine, here);
        break;
      }
      run.push({ action: next.action, process: next.process });
      here = next.after;
      if (get(here, BROKEN) !== 0) broken = PROMISES[get(here, BROKEN)];
      else if (run.length > LONGEST_RUN) broken = "somebody waits for ever";
    }
    states += run.length;
    if (broken) return { states, ends, failure: { broken, run } };
  }
  return { states, ends, failure: undefined };
}
