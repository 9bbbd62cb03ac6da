import { temporaryHome } from "@hawser/test-kit";
import { describeRun } from "../explore.ts";
import { RESULTS } from "../machine.ts";
import {
  CLAIMED,
  DEFERRED,
  GIVEN_BACK,
  HELD,
  REFUSED,
  recordAt,
  SEALED,
  SETTLED,
  stateAt,
  UNKNOWN,
} from "../spend-record.ts";
import {
  ASKED,
  ATTEMPTS,
  BASE,
  CREDENTIALS,
  CURRENT,
  FAMILY,
  generationOf,
  get,
  of,
  RESULT,
  REVOKED,
  STORE,
  type State,
} from "../state.ts";
import type { RunStep } from "../stepper.ts";
import { Driver } from "./driver.ts";
import { placeOf, type Walk } from "./walk.ts";

/** Leads the real engine through a walk of the model. Returns where the two part, or undefined. */
export async function replay(walk: Walk): Promise<string | undefined> {
  const home = await temporaryHome();
  const driver = new Driver(home.path, walk.scenario, walk.first);
  const sent: number[] = [];
  const done: RunStep[] = [];
  try {
    await driver.prepare(walk.first);
    for (const step of walk.steps) {
      done.push(step);
      const { action, process, before, after } = step;
      const problem = (await attempt(() => driver.take(step))) ?? differenceAfter(driver, step);
      if (problem) return report(walk, done, problem);
      const isSent = action === "send" && placeOf(after, process) === "sent";
      if (isSent) sent.push(of(before, process, BASE));
    }
    const presented = driver.server.presented;
    if (JSON.stringify(presented) !== JSON.stringify(sent)) {
      return report(
        walk,
        done,
        `sent ${JSON.stringify(presented)}, and in the model ${JSON.stringify(sent)}`,
      );
    }
    const problem = await differenceAtEnd(driver, walk);
    return problem && report(walk, done, problem);
  } finally {
    await driver.end();
    await home.remove();
  }
}

async function attempt(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What the model says of the store and of the asks must be so. */
function differenceAfter(driver: Driver, { action, process, before, after }: RunStep): string | undefined {
  const stored = driver.storedNumber();
  if (stored !== get(after, STORE)) return `the store holds ${stored}, and in the model ${get(after, STORE)}`;
  if (process >= driver.processes.length) return undefined;
  if (action === "log in" || action === "log out") {
    const held = driver.process(process).session.snapshot()?.view ?? 0;
    if (held !== of(after, process, CURRENT))
      return `${held} is held, and in the model ${of(after, process, CURRENT)}`;
  }
  const expected = RESULTS[of(after, process, RESULT)] ?? "none";
  const isNew = hasConcluded(before, after, process);
  if (!isNew) return undefined;
  const { ask, handed } = driver.process(process);
  const seen = ask.is === "over" ? ask.result : ask.is;
  if (seen === "handle" && expected === "handle" && handed?.view !== of(after, process, CURRENT)) {
    return `${handed?.view} was handed out, and in the model ${of(after, process, CURRENT)}`;
  }
  return seen === expected ? undefined : `the ask ended as ${seen}, and in the model as ${expected}`;
}

/** What the server has revoked and what the records say must be so, too. */
async function differenceAtEnd(
  driver: Driver,
  { scenario, first, steps }: Walk,
): Promise<string | undefined> {
  const end = steps.at(-1)?.after ?? first;
  const revoked = driver.revoked.map((_, family) => (get(end, FAMILY + family) & REVOKED) !== 0);
  if (JSON.stringify(driver.revoked) !== JSON.stringify(revoked)) {
    return `the server has revoked ${JSON.stringify(driver.revoked)}, and in the model ${JSON.stringify(revoked)}`;
  }
  const keeps = scenario.server === "keeps";
  const found = (await driver.records()).map(({ generation, attempt, state }) =>
    describeRecord(keeps ? 0 : generation, attempt, state),
  );
  const expected: string[] = [];
  for (let refreshToken = 1; refreshToken <= CREDENTIALS; refreshToken += 1) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const state = STATE_NAMES[stateAt(end, recordAt(refreshToken, attempt))];
      if (state) expected.push(describeRecord(generationOf(refreshToken), attempt, state));
    }
  }
  const [ours, theirs] = [found.sort().join(", "), expected.sort().join(", ")];
  return ours === theirs ? undefined : `the records are ${ours}, and in the model ${theirs}`;
}

function describeRecord(generation: number, attempt: number, state: string): string {
  return `${generation}/${attempt} ${state}`;
}

/** One that cannot be read is not told of. */
const STATE_NAMES: Readonly<Record<number, string>> = {
  [CLAIMED]: "claimed",
  [UNKNOWN]: "unknown",
  [DEFERRED]: "deferred",
  [GIVEN_BACK]: "deferred",
  [SEALED]: "sealed",
  [HELD]: "held",
  [SETTLED]: "settled",
  [REFUSED]: "refused",
};

function hasConcluded(before: State, after: State, process: number): boolean {
  return of(before, process, ASKED) < of(after, process, ASKED);
}

function report(walk: Walk, done: readonly RunStep[], problem: string): string {
  const { scenario, seed } = walk;
  const run = describeRun(done, scenario.asks.length);
  return `${scenario.name} (${scenario.server}), seed ${seed}: ${problem}, after\n${run}`;
}
