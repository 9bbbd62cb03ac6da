import { later } from "./credential-clock.ts";
import type { Engine, RefreshGoal } from "./engine.ts";
import { ANSWER_LIMIT_MS, type Hold } from "./hold.ts";
import { notedLogin } from "./lineage-note.ts";
import type { StoredCredential } from "./look.ts";
import type { RefreshGrantAnswer } from "./refresh-grant.ts";

/** A grant that ignores its signal is not waited for longer than this past the limit. */
const GRACE_MS = 250;

/** Step 8: asks for the grant once. Whatever is thrown, and whatever comes too late, may have been sent. */
export async function dispatchGrant<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  goal: RefreshGoal,
  stored: StoredCredential<C> & { readonly refreshToken: string },
): Promise<RefreshGrantAnswer> {
  const { credential, refreshToken, note, identity } = stored;
  const controller = new AbortController();
  const { promise: tooLate, resolve: giveUp } = Promise.withResolvers<RefreshGrantAnswer>();
  let stop = () => {};
  const inTurn = (delayMs: number, run: () => void) => {
    stop = later(engine.clock, delayMs, run);
  };
  // Each is waited for from when the last was over: a process that stood still until past the limit has its answer
  // in the socket, and reads that first.
  inTurn(Math.max(0, hold.leftMs(ANSWER_LIMIT_MS) - GRACE_MS), () =>
    inTurn(GRACE_MS, () => {
      controller.abort();
      inTurn(GRACE_MS, () => giveUp({ sent: "unknown", code: "timeout" }));
    }),
  );
  try {
    const sent = engine.grant({
      credential,
      refreshToken,
      reason: goal.reason,
      pins: notedLogin(note, identity.lineage)?.pins ?? {},
      signal: controller.signal,
    });
    return await Promise.race([sent, tooLate]);
  } catch {
    return { sent: "unknown", code: "grant-threw" }; // Its text may hold what was sent.
  } finally {
    stop();
  }
}
