import type { Engine, RefreshGoal } from "./engine.ts";
import type { StoredCredential } from "./look.ts";
import type { StarterStep } from "./next-starter.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import type { SpendHeader } from "./spend-header.ts";

/** What a claim says of itself. */
export function claimHeader<C, V>(
  engine: Engine<C, V>,
  goal: RefreshGoal,
  stored: StoredCredential<C>,
  step: StarterStep & { readonly do: "claim" },
  nowMs: number,
): SpendHeader {
  const { attempt, failures, uncertain } = step;
  const { lineage, generation } = stored.identity;
  return {
    version: 1,
    fingerprint: stored.marks.fingerprint ?? "",
    state: "claimed",
    attempt,
    reason: goal.reason,
    claimedAtMs: nowMs,
    leaseUntilMs: nowMs + LEASE_MS,
    failures,
    uncertain,
    lineage,
    generation,
    snapshotHash: stored.marks.snapshotHash,
    clientHash: stored.clientHash,
    owner: engine.owner,
  };
}
