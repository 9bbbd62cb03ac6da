import { initialState } from "./initial-state.ts";
import type { Action, Machine } from "./machine.ts";
import { observe } from "./observe.ts";
import type { RuleSet } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { STATE_BYTES, type State } from "./state.ts";
import { successors } from "./successors.ts";

/** One step of a run, with the states around it. */
export interface RunStep {
  readonly action: Action;
  readonly process: number;
  readonly before: State;
  readonly after: State;
}

export interface Stepper {
  readonly machine: Machine;
  /** The state a run begins with. */
  first(): State;
  /** All that can happen next; nothing, where a run is over. */
  choices(here: State): readonly RunStep[];
}

/** Goes through single runs of a scenario, for whoever picks the steps. */
export function stepper(scenario: Scenario, rules: RuleSet): Stepper {
  const scratch = new Uint8Array(STATE_BYTES);
  let before: State = scratch;
  let found: RunStep[] = [];
  const machine: Machine = {
    scenario,
    rules,
    processes: scenario.asks.length,
    from(s) {
      scratch.set(s);
      return scratch;
    },
    emit(n, action, process) {
      observe(machine, before, n, action, process);
      found.push({ action, process, before, after: n.slice() });
    },
  };
  return {
    machine,
    first: () => initialState(scenario, scenario.faults),
    choices(here) {
      before = here;
      found = [];
      successors(machine, here);
      return found;
    },
  };
}
