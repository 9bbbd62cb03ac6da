import { figure } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { describeRun, type Exploration, explore } from "../model/explore.ts";
import { RULES, type Rule, rulesWithout } from "../model/rules.ts";
import type { Scenario, ServerKind } from "../model/scenario.ts";
import { SCENARIOS } from "../model/scenarios.ts";

const long = process.env["HAWSER_TEST_LONG"] === "1";
const KINDS: readonly ServerKind[] = ["rotates", "rotates with grace", "rotates and revokes", "keeps"];
let states = 0;

function failureOf(scenario: Scenario, exploration: Exploration): string | undefined {
  states += exploration.states;
  const { failure } = exploration;
  return failure && `${failure.broken}:\n${describeRun(failure.run, scenario.asks.length)}`;
}

/** Millions of states with three processes: nothing holds any of them back. */
function isVast({ lock, faults }: Scenario): boolean {
  return lock === "excludes nobody" && faults.freeze !== undefined;
}

describe(explore, () => {
  it.each(SCENARIOS)("finds no broken promise when $name", { timeout: 120_000 }, (scenario) => {
    expect(failureOf(scenario, explore(scenario, { long }))).toBeUndefined();
  });

  it.each(
    // A server that keeps its refresh tokens has no history of spent ones.
    SCENARIOS.flatMap((scenario) =>
      KINDS.filter((server) => server !== scenario.server && !(server === "keeps" && scenario.history)).map(
        (server) => ({ ...scenario, server }),
      ),
    ),
  )("finds none when $name, on a server that $server", { timeout: 120_000 }, (scenario) => {
    expect(failureOf(scenario, explore(scenario))).toBeUndefined();
  });

  it.each(
    SCENARIOS.filter((scenario) => long || !isVast(scenario)).map((scenario) => ({
      ...scenario,
      asks: [...scenario.asks, ["use"] as const],
    })),
  )("finds none when $name, with a third process beside them", { timeout: 120_000 }, (scenario) => {
    expect(failureOf(scenario, explore(scenario, { maxStates: 10_000_000 }))).toBeUndefined();
  });

  it("has seen enough states to say so", () => {
    figure("model: states explored", states);
    expect(states).toBeGreaterThan(long ? 1_000_000 : 300_000);
  });
});

describe("every rule is needed", () => {
  const rules = Object.keys(RULES) as Rule[];
  const needs = rules.flatMap((rule) =>
    SCENARIOS.filter((scenario) => scenario.needs.includes(rule)).map((scenario) => ({ rule, scenario })),
  );

  it("by a scenario that names it", () => {
    expect(new Set(needs.map(({ rule }) => rule))).toEqual(new Set(rules));
  });

  it.each(needs)("without $rule a promise is broken when $scenario.name", ({ rule, scenario }) => {
    expect(explore(scenario, { rules: rulesWithout(rule) }).failure).toBeDefined();
  });
});
