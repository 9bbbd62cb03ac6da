import { figure } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { describeRun, type Exploration, explore } from "../model/explore.ts";
import { RULES, type Rule, rulesWithout } from "../model/rules.ts";
import { sample } from "../model/sample.ts";
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

/** Each scenario on each server, but that one which keeps its refresh tokens has no history of spent ones. */
const ON_EACH_SERVER = SCENARIOS.flatMap((scenario) =>
  KINDS.filter((server) => !(server === "keeps" && scenario.history)).map((server) => ({
    ...scenario,
    server,
  })),
);
const WITH_A_THIRD = ON_EACH_SERVER.map((scenario) => ({
  ...scenario,
  asks: [...scenario.asks, ["use"] as const],
}));

/** Millions of states: a machine that sleeps where nothing holds any of three processes back, or a store that goes back. */
const isVast = ({ lock, faults, server }: Scenario) =>
  lock === "excludes nobody" &&
  (faults.freeze !== undefined || (server === "keeps" && faults["store goes back"] !== undefined));
const ITS_OWN: ReadonlyMap<string, ServerKind> = new Map(SCENARIOS.map(({ name, server }) => [name, server]));
/** What is gone through whole with a third process; of the rest chance picks. The long run leaves it the vast ones. */
const isWhole = (scenario: Scenario) =>
  !isVast(scenario) && (long || ITS_OWN.get(scenario.name) === scenario.server);

describe(explore, () => {
  it.each(SCENARIOS)("finds no broken promise when $name", { timeout: 120_000 }, (scenario) => {
    expect(failureOf(scenario, explore(scenario, { long }))).toBeUndefined();
  });

  it.each(ON_EACH_SERVER)(
    "finds none when $name, on a server that $server",
    { timeout: 120_000 },
    (scenario) => {
      expect(failureOf(scenario, explore(scenario))).toBeUndefined();
    },
  );

  it.each(WITH_A_THIRD.filter(isWhole))(
    "finds none when $name, on a server that $server, with a third process beside them",
    { timeout: 120_000 },
    (scenario) => {
      expect(failureOf(scenario, explore(scenario))).toBeUndefined();
    },
  );

  it("has seen enough states to say so", () => {
    figure("model: states explored", states);
    expect(states).toBeGreaterThan(long ? 1_000_000 : 300_000);
  });
});

describe(sample, () => {
  it.each(WITH_A_THIRD.filter((scenario) => !isWhole(scenario)))(
    "finds none in runs picked by chance when $name, on a server that $server, with a third process beside them",
    { timeout: 600_000 },
    (scenario) => {
      const runs = (isVast(scenario) ? 100 : 20) * (long ? 1000 : 1);
      const sampled = sample(scenario, { runs });
      expect(failureOf(scenario, sampled)).toBeUndefined();
      // A run that was cut short for want of room has shown little.
      expect(sampled.ends).toBeGreaterThan(0.99 * runs);
    },
  );

  it("comes upon what a missing rule breaks", () => {
    const [scenario] = WITH_A_THIRD.filter(isVast);
    if (!scenario) throw new Error("there is no such scenario");
    const { failure } = sample(scenario, { runs: 3000, rules: rulesWithout("claim") });
    expect(failure?.broken).toContain("a token was sent");
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
