import { temporaryHome } from "@hawser/test-kit";
import { describeRun } from "../explore.ts";
import { RESULTS } from "../machine.ts";
import { ASKED, BASE, get, of, RESULT, STORE, type State } from "../state.ts";
import { Driver } from "./driver.ts";
import { placeOf, type Walk, type WalkStep } from "./walk.ts";

/** Leads the real engine through a walk of the model. Returns where the two part, or undefined. */
export async function replay(walk: Walk): Promise<string | undefined> {
  const home = await temporaryHome();
  const driver = new Driver(home.path, walk.scenario, walk.first);
  const sent: number[] = [];
  const done: WalkStep[] = [];
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
    return undefined;
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
function differenceAfter(driver: Driver, { process, before, after }: WalkStep): string | undefined {
  const stored = driver.storedNumber();
  if (stored !== get(after, STORE)) return `the store holds ${stored}, and in the model ${get(after, STORE)}`;
  if (process >= driver.processes.length) return undefined;
  const expected = RESULTS[of(after, process, RESULT)] ?? "none";
  const isNew = hasConcluded(before, after, process);
  if (!isNew) return undefined;
  const { ask } = driver.process(process);
  const seen = ask.is === "over" ? ask.result : ask.is;
  return seen === expected ? undefined : `the ask ended as ${seen}, and in the model as ${expected}`;
}

function hasConcluded(before: State, after: State, process: number): boolean {
  return of(before, process, ASKED) < of(after, process, ASKED);
}

function report(walk: Walk, done: readonly WalkStep[], problem: string): string {
  const { scenario, seed } = walk;
  const run = describeRun(done, scenario.asks.length);
  return `${scenario.name} (${scenario.server}), seed ${seed}: ${problem}, after\n${run}`;
}
