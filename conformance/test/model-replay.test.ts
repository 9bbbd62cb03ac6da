import { existsSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { explore } from "../model/explore.ts";
import { along } from "../model/replay/along.ts";
import { replay } from "../model/replay/replay.ts";
import { type Walk, walk } from "../model/replay/walk.ts";
import { RULES, type Rule, rulesWithout } from "../model/rules.ts";
import type { Scenario } from "../model/scenario.ts";
import { SCENARIOS } from "../model/scenarios.ts";

const long = process.env["HAWSER_TEST_LONG"] === "1";
const WALKS = long ? 100 : 5;

/** Whether something can be written is asked of real files elsewhere. */
const isReplayable = ({ unwritable }: Scenario) => !unwritable;

function* walksOf(scenario: Scenario): Generator<Walk> {
  let found = 0;
  for (let seed = 1; seed <= WALKS * 10 && found < WALKS; seed += 1) {
    const next = walk(scenario, seed);
    if (!next) continue;
    found += 1;
    yield next;
  }
}

/** Whether something can be written, nothing is sent to show; nor what a process will save that has not tried yet. */
const UNSEEN: readonly Rule[] = ["rehearsal", "failed-epoch"];

/** Each rule with each scenario that needs it. */
const NEEDS = (Object.keys(RULES) as Rule[])
  .filter((rule) => !UNSEEN.includes(rule))
  .flatMap((rule) =>
    SCENARIOS.filter(({ needs }) => needs.includes(rule)).map((scenario) => ({ rule, scenario })),
  );

/** What chance seldom comes to: it is shown by the shortest run alone. */
const SELDOM: readonly Rule[] = [
  "flush-first",
  "last-look",
  "epoch",
  "bodies-kept",
  "login-kept",
  "logout-drops",
  "tidy-after-save",
  "wiped-is-settled",
  "held-until-saved",
  "send-epoch",
  "any-other",
  "write-back-compare",
  "refusal-look",
  "brought-back",
];

/** The explorer's shortest run to where a model without a rule breaks a promise. */
function shortestBrokenWalk(scenario: Scenario, rule: Rule): Walk {
  const rules = rulesWithout(rule);
  const { failure } = explore(scenario, { rules });
  if (!failure) throw new Error(`nothing breaks without ${rule} when ${scenario.name}`);
  return along(scenario, failure.run, rules);
}

/** A walk of a model without a rule, to where that breaks a promise. */
function brokenWalk(scenario: Scenario, rule: Rule): Walk {
  for (let seed = 1; seed <= 20_000; seed += 1) {
    const found = walk(scenario, seed, rulesWithout(rule));
    if (found?.broken) return found;
  }
  throw new Error(`chance breaks nothing without ${rule} when ${scenario.name}`);
}

describe(replay, () => {
  beforeEach(() => {
    // Thousands of synced writes: in memory, where that can be had. What a disk does is shown elsewhere.
    if (existsSync("/dev/shm")) vi.stubEnv("TMPDIR", "/dev/shm");
  });

  it.each(SCENARIOS.filter(isReplayable))(
    "leads the real engine wherever the model goes when $name",
    { timeout: 120_000 },
    async (scenario) => {
      let walks = 0;
      for (const next of walksOf(scenario)) {
        walks += 1;
        expect(await replay(next)).toBeUndefined();
      }
      expect(walks).toBeGreaterThan(WALKS / 2);
    },
  );

  it.each(NEEDS)(
    "parts from the shortest wrong run of a model without $rule when $scenario.name",
    { timeout: 60_000 },
    async ({ rule, scenario }) => {
      expect(await replay(shortestBrokenWalk(scenario, rule))).toBeDefined();
    },
  );

  it.each(NEEDS.filter(({ rule }) => !SELDOM.includes(rule)))(
    "and from one that chance finds without $rule when $scenario.name",
    { timeout: 60_000 },
    async ({ rule, scenario }) => {
      expect(await replay(brokenWalk(scenario, rule))).toBeDefined();
    },
  );

  it("notices where the engine parts from a model", async () => {
    const [scenario] = SCENARIOS;
    const right = scenario && walk(scenario, 1);
    if (!right) throw new Error("there is no walk");
    const end = right.steps.at(-1);
    if (!end) throw new Error("the walk has no steps");
    const after = end.after.slice();
    after[0] = 7; // Another credential is stored.
    const wrong = { ...right, steps: [...right.steps.slice(0, -1), { ...end, after }] };
    expect(await replay(wrong)).toContain("in the model 7");
  });
});
