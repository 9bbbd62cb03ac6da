import { existsSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { replay } from "../model/replay/replay.ts";
import { type Walk, walk } from "../model/replay/walk.ts";
import type { Scenario } from "../model/scenario.ts";
import { SCENARIOS } from "../model/scenarios.ts";

const long = process.env["HAWSER_TEST_LONG"] === "1";
const WALKS = long ? 100 : 5;

/** Time stands still here, and whether something can be written is asked of real files elsewhere. */
const isReplayable = ({ faults, unwritable }: Scenario) => !faults.freeze && !unwritable;

function* walksOf(scenario: Scenario): Generator<Walk> {
  let found = 0;
  for (let seed = 1; seed <= WALKS * 10 && found < WALKS; seed += 1) {
    const next = walk(scenario, seed);
    if (!next) continue;
    found += 1;
    yield next;
  }
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
