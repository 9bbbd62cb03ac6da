import type { Narrator } from "./narrator.ts";
import type { Stage } from "./stage.ts";
import { crashBetweenSealAndCommit } from "./steps/crash-between-seal-and-commit.ts";
import { loginThenStatus } from "./steps/login-then-status.ts";
import { oneRefreshForFiftyCalls } from "./steps/one-refresh-for-fifty-calls.ts";
import { oneTurn } from "./steps/one-turn.ts";
import { refusedOnce } from "./steps/refused-once.ts";
import { streamATurn } from "./steps/stream-a-turn.ts";
import { toolThroughExecServer } from "./steps/tool-through-exec-server.ts";
import { twoIdentities } from "./steps/two-identities.ts";

/** One step: a title, and what it does and expects. */
export interface TourStep {
  readonly title: string;
  run(stage: Stage, narrator: Narrator): Promise<void>;
}

const steps: readonly TourStep[] = [
  loginThenStatus,
  twoIdentities,
  streamATurn,
  toolThroughExecServer,
  oneRefreshForFiftyCalls,
  crashBetweenSealAndCommit,
  refusedOnce,
];

/** Longest a step may take. Nothing in it waits for time to pass; this only ends a tour that hangs. */
const STEP_TIMEOUT_MS = 60_000;

/** What can be seen from here when the model is somebody else's. */
const stepsElsewhere: readonly TourStep[] = [oneTurn];

/** Takes every step in order. Rejects with the failed step's title and reason. */
export async function takeTour(stage: Stage, narrator: Narrator): Promise<void> {
  for (const step of stage.providerIsLocal ? steps : stepsElsewhere) {
    narrator.step(step.title);
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`nothing more happened for ${STEP_TIMEOUT_MS / 1000} s`)),
      STEP_TIMEOUT_MS,
    );
    try {
      await Promise.race([step.run(stage, narrator), timedOut]);
    } catch (error) {
      throw new Error(
        `step "${step.title}" failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}
