import type { Step } from "../explore.ts";
import { initialState } from "../initial-state.ts";
import type { Machine } from "../machine.ts";
import { observe } from "../observe.ts";
import { type RuleSet, rulesWithout } from "../rules.ts";
import type { Scenario } from "../scenario.ts";
import { STATE_BYTES, type State } from "../state.ts";
import { successors } from "../successors.ts";
import type { Walk, WalkStep } from "./walk.ts";

/** The walk that a run of the explorer is. */
export function along(scenario: Scenario, run: readonly Step[], rules: RuleSet = rulesWithout()): Walk {
  const scratch = new Uint8Array(STATE_BYTES);
  let choices: WalkStep[] = [];
  const first: State = initialState(scenario, scenario.faults);
  let here = first;
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
  const steps = run.map((wanted) => {
    choices = [];
    successors(machine, here);
    const next = choices.find((one) => one.action === wanted.action && one.process === wanted.process);
    if (!next) throw new Error(`the model does not ${wanted.action} here`);
    here = next.after;
    return next;
  });
  return { scenario, seed: 0, first, steps, broken: undefined };
}
