/** State of a spend record; see ARCHITECTURE.md, "The engine". */
export type SpendState = "claimed" | "unknown" | "deferred" | "sealed" | "held" | "settled" | "refused";

/** One spending of one refresh token, as the records tell it. */
export interface SpendSummary {
  /** First 32 hex digits of a hash over the store key and the token; not the token. */
  readonly fingerprint: string;
  /** 1 is the first attempt at this token. */
  readonly attempt: number;
  /** How it stands. */
  readonly state: SpendState;
  /** When it was begun. Wall clock, milliseconds. */
  readonly claimedAtMs: number;
  /** What came of it: the server's error value, `http-<status>`, a code of the grant or of this package. */
  readonly outcomeCode?: string | undefined;
  /** What the server calls the request, as the grant passed it on. */
  readonly correlationId?: string | undefined;
  /** Attempts without a good end, this one included. */
  readonly failures: number;
  /** Nothing is sent before. Wall clock, milliseconds. */
  readonly nextAtMs?: number | undefined;
  /** The login it belongs to. */
  readonly lineage: string;
  /** The generation of that login whose refresh token was spent. */
  readonly generation: number;
  /** Whether this is the refresh token that the store holds now. */
  readonly current: boolean;
}

/** Why a credential is as it is. */
export interface CredentialExplanation {
  /** Which case it is; the README says what each means. */
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
