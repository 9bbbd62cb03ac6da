import type { SpendState } from "./explanation.ts";

/** Who claimed. A process id proves nothing; that host and kernel are others makes a free lock prove nothing. */
export interface SpendOwner {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
}

/** What a spend record says of one attempt to spend one refresh token. Holds no secret. */
export interface SpendHeader {
  readonly version: 1;
  readonly fingerprint: string;
  readonly state: SpendState;
  /** 1 is the first. */
  readonly attempt: number;
  readonly reason: "expiry" | "rejected" | "forced";
  readonly claimedAtMs: number;
  /** Where a free lock proves nothing, the claimant counts as living until then. */
  readonly leaseUntilMs: number;
  /** Nothing is sent before. */
  readonly nextAtMs?: number | undefined;
  /** Attempts without a good end, this one included. */
  readonly failures: number;
  /** An attempt may have reached the server and its answer did not reach us. */
  readonly uncertain: boolean;
  readonly outcomeCode?: string | undefined;
  readonly correlationId?: string | undefined;
  /** The login and generation whose refresh token this is. */
  readonly lineage: string;
  readonly generation: number;
  readonly receivedAtMs?: number | undefined;
  readonly lifetimeMs?: number | undefined;
  /** The stored entry that was spent. */
  readonly snapshotHash: string;
  readonly clientHash: string;
  readonly owner: SpendOwner;
}
