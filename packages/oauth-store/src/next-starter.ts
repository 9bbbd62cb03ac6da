import { BACKOFF_CAP_MS, LEASE_MS, spendBackoffMs } from "./spend-backoff.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { OwnerProof } from "./spend-ledger.ts";

/** Everything the decision rests on. */
export interface StarterView {
  /** The attempt at the stored refresh token that counts; undefined when it was never spent. */
  readonly record:
    | {
        readonly attempt: number;
        /** Undefined when it cannot be read. */
        readonly header: SpendHeader | undefined;
        readonly writtenAtMs: number;
      }
    | undefined;
  /** The highest number taken, by those too that do not count. @defaultValue that of the record */
  readonly lastAttempt?: number | undefined;
  readonly owner: OwnerProof;
  /** Whether this process has seen it stand still for as long as a lease lasts. @defaultValue false */
  readonly outlasted?: boolean | undefined;
  /** Whether the body opens with the stored refresh token. */
  readonly bodyOpens: boolean;
  readonly snapshotHash: string;
  readonly clientHash: string;
  readonly nowMs: number;
}

export type StarterStep =
  /** Spend it, as this attempt. */
  | {
      readonly do: "claim";
      readonly attempt: number;
      readonly failures: number;
      readonly uncertain: boolean;
    }
  /** The successor is in the record: finish what somebody began. `restore`: it had been saved before. */
  | { readonly do: "finish"; readonly restore: boolean }
  /** Somebody who may live is at it: unlock, look again later. */
  | { readonly do: "wait" }
  /** Nothing is sent before that time. `clamp`: the record names a later one, which is to be corrected. */
  | { readonly do: "defer"; readonly nextAtMs: number; readonly code: string; readonly clamp: boolean }
  | { readonly do: "refuse"; readonly code: string; readonly interrupted: boolean }
  | { readonly do: "superseded" }
  | { readonly do: "held" };

/** What whoever holds the lock does next with the stored refresh token. The table "Next starter", as a function. */
export function nextStarter(view: StarterView): StarterStep {
  const { record, bodyOpens } = view;
  if (!record) return { do: "claim", attempt: nextAttempt(view), failures: 0, uncertain: false };
  const { header } = record;
  if (!header && bodyOpens && view.owner !== "alive") return { do: "finish", restore: false };
  if (!header) return afterClaim(view, record, undefined);
  switch (header.state) {
    case "claimed":
      return afterClaim(view, record, header);
    case "held":
      return mayLive(view, header.leaseUntilMs) ? { do: "held" } : afterClaim(view, record, header);
    case "unknown":
    case "deferred":
      return afterBackoff(view, header, header.nextAtMs ?? header.claimedAtMs, header.failures);
    case "sealed":
      // A seal that does not open is an answer that never reached us.
      if (bodyOpens) return { do: "finish", restore: false };
      return afterBackoff(view, header, asUnknownAtMs(header), header.failures + 1);
    case "settled":
      return bodyOpens ? { do: "finish", restore: true } : { do: "superseded" };
    case "refused":
      return afterRefusal(view, header);
  }
}

function afterClaim(
  view: StarterView,
  record: { attempt: number; writtenAtMs: number },
  header: SpendHeader | undefined,
): StarterStep {
  const leaseUntilMs = header?.leaseUntilMs ?? record.writtenAtMs + LEASE_MS;
  if (mayLive(view, leaseUntilMs)) return { do: "wait" };
  // It died between the body and the header: what it received is here.
  if (view.bodyOpens) return { do: "finish", restore: false };
  const failures = (header?.failures ?? 0) + 1;
  if (record.attempt === 1) return { do: "claim", attempt: nextAttempt(view), failures, uncertain: true };
  // A clock that was ahead wrote a time to come: a header is told another, and where there is none it is no time.
  const claimedAtMs = header?.claimedAtMs ?? (record.writtenAtMs > view.nowMs ? 0 : record.writtenAtMs);
  const nextAtMs = header?.nextAtMs ?? claimedAtMs + spendBackoffMs(failures, 0.5);
  return waitOrClaim(view, { claimedAtMs, nextAtMs, failures, code: "interrupted" });
}

/** A number is taken once, also by whoever gave its claim back. */
function nextAttempt({ record, lastAttempt }: StarterView): number {
  return Math.max(record?.attempt ?? 0, lastAttempt ?? 0) + 1;
}

/** Where a free lock proves nothing, its owner counts as living until the lease ends, by its clock or by ours. */
function mayLive(view: StarterView, leaseUntilMs: number): boolean {
  if (view.owner !== "unproven") return view.owner === "alive";
  return view.nowMs < leaseUntilMs && view.outlasted !== true;
}

function afterBackoff(
  view: StarterView,
  header: SpendHeader,
  nextAtMs: number,
  failures: number,
): StarterStep {
  const { claimedAtMs } = header;
  const code = header.outcomeCode ?? "unknown";
  const step = waitOrClaim(view, { claimedAtMs, nextAtMs, failures, code });
  // An attempt that was not sent, or was answered and not consumed, leaves no doubt behind.
  return step.do === "claim" ? { ...step, uncertain: header.uncertain || header.state !== "deferred" } : step;
}

function waitOrClaim(
  view: StarterView,
  after: { claimedAtMs: number; nextAtMs: number; failures: number; code: string },
): StarterStep {
  const { claimedAtMs, nextAtMs, failures, code } = after;
  const capMs = view.nowMs + BACKOFF_CAP_MS;
  // A clock that jumped: a time before the claim is no time at all, one beyond the cap counts as the cap.
  const due = nextAtMs < claimedAtMs || nextAtMs <= view.nowMs;
  if (due) return { do: "claim", attempt: nextAttempt(view), failures, uncertain: true };
  return { do: "defer", nextAtMs: Math.min(nextAtMs, capMs), code, clamp: nextAtMs > capMs };
}

function afterRefusal(view: StarterView, header: SpendHeader): StarterStep {
  if (standsRefused(header, view)) {
    const code = header.outcomeCode ?? "invalid_grant";
    return { do: "refuse", code, interrupted: header.uncertain && code !== "invalid_client" };
  }
  return { do: "claim", attempt: nextAttempt(view), failures: 0, uncertain: header.uncertain };
}

/** Whether a refusal on record is about what is stored now: the entry, or the client alone. */
export function standsRefused(
  { state, outcomeCode, snapshotHash, clientHash }: SpendHeader,
  stored: { readonly snapshotHash: string; readonly clientHash: string },
): boolean {
  if (state !== "refused" || clientHash !== stored.clientHash) return false;
  return outcomeCode === "invalid_client" || snapshotHash === stored.snapshotHash;
}

function asUnknownAtMs(header: SpendHeader): number {
  return header.nextAtMs ?? header.claimedAtMs + spendBackoffMs(header.failures + 1, 0.5);
}
