import { describe, expect, it } from "vitest";
import {
  nextStarter,
  type StarterStep,
  type StarterView,
} from "../../packages/oauth-store/src/next-starter.ts";
import { type NextStep, nextStep, type RecordView } from "../model/next-step.ts";
import * as record from "../model/spend-record.ts";

const STATES = {
  claimed: record.CLAIMED,
  unknown: record.UNKNOWN,
  deferred: record.DEFERRED,
  sealed: record.SEALED,
  held: record.HELD,
  settled: record.SETTLED,
  refused: record.REFUSED,
  unreadable: record.UNREADABLE,
} as const;
type StateName = keyof typeof STATES;

const NOW_MS = 1_800_000_000_000;
const both = [false, true] as const;

/** Every record the model can meet, and one of the engine's views that means the same. */
function* views(): Generator<{ state: StateName; view: RecordView }> {
  for (const state of Object.keys(STATES) as StateName[])
    for (const attempt of [1, 2, 3])
      for (const owner of ["alive", "dead", "unproven"] as const)
        for (const leased of both)
          for (const opens of both)
            for (const due of both)
              for (const sameSnapshot of both)
                for (const uncertain of both) {
                  const view = {
                    state: STATES[state],
                    attempt,
                    owner,
                    leased,
                    opens,
                    due,
                    sameSnapshot,
                    uncertain,
                  };
                  yield { state, view };
                }
}

function engineView(state: StateName, view: RecordView): StarterView {
  const { attempt, owner, leased, opens, due, sameSnapshot, uncertain } = view;
  // A lease of 60 s: taken just now, or so long ago that the longest wait is over too.
  const claimedAtMs = leased || !due ? NOW_MS - 100 : NOW_MS - 3_600_000;
  const header = {
    version: 1 as const,
    fingerprint: "f",
    state: state === "unreadable" ? ("claimed" as const) : state,
    attempt,
    reason: "expiry" as const,
    claimedAtMs,
    leaseUntilMs: leased ? NOW_MS + 59_900 : NOW_MS - 1,
    nextAtMs: state === "claimed" || state === "held" ? undefined : due ? NOW_MS - 1 : NOW_MS + 1000,
    failures: 1,
    uncertain,
    lineage: "l",
    generation: 0,
    snapshotHash: "snapshot",
    clientHash: "client",
    owner: { host: "h", boot: "b", pid: 1 },
  };
  return {
    record: { attempt, header: state === "unreadable" ? undefined : header, writtenAtMs: claimedAtMs },
    owner,
    bodyOpens: opens,
    snapshotHash: sameSnapshot ? "snapshot" : "another",
    clientHash: "client",
    nowMs: NOW_MS,
  };
}

function reduced(step: StarterStep): NextStep {
  switch (step.do) {
    case "claim":
      return { do: "claim", attempt: step.attempt, uncertain: step.uncertain };
    case "refuse":
      return { do: "refuse", interrupted: step.interrupted };
    default:
      return { do: step.do };
  }
}

/** Times that cannot be together: a wait that is counted from the claim and is over within the lease. */
function isPossible(state: StateName, view: RecordView): boolean {
  const countsFromClaim = state === "claimed" || state === "held" || state === "unreadable";
  if (!countsFromClaim) return true;
  if (view.leased && view.due)
    return view.owner === "unproven" || view.owner === "alive" || view.attempt === 1;
  // An unreadable header has no lease of its own: it counts from the last write.
  return !(state === "unreadable" && !view.leased && !view.due);
}

describe(nextStep, () => {
  it("decides as the engine does, for every record there can be", () => {
    let compared = 0;
    for (const { state, view } of views()) {
      if (!isPossible(state, view)) continue;
      compared += 1;
      const ours = nextStep(view);
      expect({ state, view, step: ours }).toEqual({
        state,
        view,
        step: reduced(nextStarter(engineView(state, view))),
      });
    }
    expect(compared).toBeGreaterThan(1000);
  });

  it("claims the first attempt where there is no record, as the engine does", () => {
    const view: RecordView = {
      state: record.NONE,
      attempt: 0,
      owner: "dead",
      leased: false,
      opens: false,
      due: true,
      sameSnapshot: true,
      uncertain: false,
    };
    const none = { ...engineView("claimed", view), record: undefined };
    expect(nextStep(view)).toEqual(reduced(nextStarter(none)));
  });
});
