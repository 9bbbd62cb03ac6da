import type { Step } from "../explore.ts";
import { type RuleSet, rulesWithout } from "../rules.ts";
import type { Scenario } from "../scenario.ts";
import { stepper } from "../stepper.ts";
import type { Walk } from "./walk.ts";

/** The walk that a run of the explorer is. */
export function along(scenario: Scenario, run: readonly Step[], rules: RuleSet = rulesWithout()): Walk {
  const { first, choices } = stepper(scenario, rules);
  const start = first();
  let here = start;
  const steps = run.map((wanted) => {
    const next = choices(here).find((one) => one.action === wanted.action && one.process === wanted.process);
    if (!next) throw new Error(`the model does not ${wanted.action} here`);
    here = next.after;
    return next;
  });
  return { scenario, seed: 0, first: start, steps, broken: undefined };
}
