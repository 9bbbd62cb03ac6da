/** One spending of a refresh token, asked of whoever owns the network. */
export interface RefreshGrantInput<C> {
  /** What is stored, its refresh token included. */
  readonly credential: C;
  /** The token to spend. */
  readonly refreshToken: string;
  /** `expiry`: the access token's life ends. `rejected`: it was turned away. `forced`: `refresh()` was called. */
  readonly reason: "expiry" | "rejected" | "forced";
  /** What was pinned at login: issuer, token endpoint, auth method, resource. Empty for a login that others saved. */
  readonly pins: Readonly<Record<string, string>>;
  /** Aborts 45 s after the lock was taken; what a grant brings more than 250 ms later is not used. */
  readonly signal: AbortSignal;
}

/**
 * What became of it. `sent: "no"`: provably never left this machine (no name, no connection, no TLS).
 * `sent: "unknown"`: it may have arrived, and no whole answer came. `sent: "yes"`: the raw answer, whatever its status,
 * unread.
 */
export type RefreshGrantAnswer =
  | {
      readonly sent: "no";
      /** For errors, events and records; no secret. */
      readonly code: string;
      /** As below. */
      readonly retryAtMs?: number | undefined;
      /** No later try could do better: nothing is put off, and `ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED` says `code`. */
      readonly loginNeeded?: boolean | undefined;
    }
  | {
      readonly sent: "unknown";
      /** As above. */
      readonly code: string;
      /** As below. */
      readonly retryAtMs?: number | undefined;
    }
  | {
      readonly sent: "yes";
      /** Of HTTP. */
      readonly status: number;
      /** At most 1 MiB; a longer or cut answer is `sent: "unknown"`. */
      readonly body: Uint8Array;
      /** When the server wants to be asked again (`Retry-After`); 15 minutes at most. Wall clock, milliseconds. */
      readonly retryAtMs?: number | undefined;
      /** What the server calls the request, for its operator; shown by `explain()`. */
      readonly correlationId?: string | undefined;
    };

/**
 * Sends the grant once: on a fresh connection (a kept one may be closing, and its answer be lost), no redirect, no
 * retry. It must not throw for what the network does; a throw counts as `sent: "unknown"` and its text is dropped.
 */
export type RefreshGrant<C> = (input: RefreshGrantInput<C>) => Promise<RefreshGrantAnswer>;
