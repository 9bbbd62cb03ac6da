import { EdgeList } from "./edge-list.ts";
import { judgeEnd } from "./ends.ts";
import { initialState } from "./initial-state.ts";
import { ACTIONS, type Action, type Broken, type Machine, PROMISES } from "./machine.ts";
import { observe } from "./observe.ts";
import { type RuleSet, rulesWithout } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { BROKEN, get, STATE_BYTES } from "./state.ts";
import { StateSet } from "./state-set.ts";
import { successors } from "./successors.ts";

/** One step of a run. `process` is absent for what happens to the machine as a whole. */
export interface Step {
  readonly action: Action;
  readonly process: number | undefined;
}

export interface Exploration {
  readonly states: number;
  /** States in which nothing can happen any more. */
  readonly ends: number;
  /** The shortest run that breaks a promise. */
  readonly failure: { readonly broken: Broken; readonly run: readonly Step[] } | undefined;
}

export interface ExploreOptions {
  /** @defaultValue all */
  readonly rules?: RuleSet | undefined;
  /** Use the scenario's long bounds. @defaultValue false */
  readonly long?: boolean | undefined;
  /** Gives up beyond that many states. @defaultValue 3_000_000 */
  readonly maxStates?: number | undefined;
}

/** Explores every interleaving of a scenario, breadth first, up to the first broken promise. */
export function explore(scenario: Scenario, options: ExploreOptions = {}): Exploration {
  const { rules = rulesWithout(), long = false, maxStates = 3_000_000 } = options;
  const seen = new StateSet(STATE_BYTES);
  const bounded = boundsOf(scenario, long);
  const scratch = new Uint8Array(STATE_BYTES);
  const current = new Uint8Array(STATE_BYTES);
  /** Edges backwards, to find whoever can never come to rest. */
  const edges = new EdgeList();
  let from = -1;
  let outgoing = 0;
  let broken: { at: number; what: Broken } | undefined;

  const machine: Machine = {
    scenario: bounded,
    rules,
    processes: bounded.asks.length,
    from(s) {
      scratch.set(s);
      return scratch;
    },
    emit(n, action, process) {
      outgoing += 1;
      observe(machine, current, n, action, process);
      const step = ACTIONS.indexOf(action) * 4 + process;
      const found = seen.add(n, from, step);
      const index = found < 0 ? -found - 1 : found;
      edges.add(from, index);
      if (found < 0 && get(n, BROKEN) !== 0) {
        broken ??= { at: index, what: PROMISES[get(n, BROKEN)] as Broken };
      }
    },
  };

  seen.add(initialState(bounded, bounded.faults), -1, 0);
  const ends: number[] = [];
  for (from = 0; from < seen.size && !broken; from += 1) {
    if (seen.size > maxStates) throw new RangeError(`${scenario.name}: more than ${maxStates} states`);
    outgoing = 0;
    successors(machine, seen.read(from, current));
    if (outgoing > 0) continue;
    const what = judgeEnd(machine, current);
    if (what) broken ??= { at: from, what };
    ends.push(from);
  }
  if (!broken) {
    const stuck = edges.unreached(seen.size, ends);
    if (stuck >= 0) broken = { at: stuck, what: "somebody waits for ever" };
  }
  const failure = broken && { broken: broken.what, run: runTo(seen, broken.at) };
  return { states: seen.size, ends: ends.length, failure };
}

/** A scenario with the bounds of this run in their usual places. */
function boundsOf(scenario: Scenario, long: boolean): Scenario {
  if (!long) return scenario;
  const { longFaults, longAsks, faults, asks } = scenario;
  return { ...scenario, faults: longFaults ?? faults, asks: longAsks ?? asks };
}

function runTo(seen: StateSet, end: number): Step[] {
  const run: Step[] = [];
  for (let index = end; seen.parentOf(index) >= 0; index = seen.parentOf(index)) {
    const step = seen.stepInto(index);
    const process = step & 3;
    run.unshift({ action: ACTIONS[step >> 2] as Action, process });
  }
  return run;
}

/** Writes a run down for a person. */
export function describeRun(run: readonly Step[], processes: number): string {
  return run
    .map(({ action, process }) =>
      process === undefined || process >= processes ? `   ${action}` : `P${process + 1} ${action}`,
    )
    .join("\n");
}
