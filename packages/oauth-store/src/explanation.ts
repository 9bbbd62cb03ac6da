/** State of a spend record; see ARCHITECTURE.md, "The engine". */
export type SpendState = "claimed" | "unknown" | "deferred" | "sealed" | "held" | "settled" | "refused";

/** One spending of one refresh token, as the records tell it. */
export interface SpendSummary {
  /** First 32 hex digits of a hash over the store key and the token; not the token. */
  readonly fingerprint: string;
  readonly attempt: number;
  readonly state: SpendState;
  readonly claimedAtMs: number;
  readonly outcomeCode?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly failures: number;
  readonly nextAtMs?: number | undefined;
  readonly lineage: string;
  readonly generation: number;
  /** Whether this is the refresh token that the store holds now. */
  readonly current: boolean;
}

export interface CredentialExplanation {
  readonly verdict:
    | "never-logged-in"
    | "working"
    | "refused"
    | "interrupted"
    | "superseded"
    | "deferred"
    | "in-progress"
    | "held-elsewhere"
    | "wrong-account"
    | "reused"
    | "login-unsaved"
    | "logged-out"
    | "logged-out-elsewhere"
    | "removed"
    | "unspendable"
    | "corrupt";
  /** One sentence for a person. */
  readonly summary: string;
  /** Newest first. */
  readonly spends: readonly SpendSummary[];
}
