/** One spending of a refresh token, asked of whoever owns the network. */
export interface RefreshGrantInput<C> {
  readonly credential: C;
  readonly refreshToken: string;
  readonly reason: "expiry" | "rejected" | "forced";
  /** What was pinned at login: issuer, token endpoint, auth method, resource. */
  readonly pins: Readonly<Record<string, string>>;
  /** Aborts when the answer can no longer be used. */
  readonly signal: AbortSignal;
}

/**
 * What became of it. `sent: "no"`: provably never left this machine. `sent: "unknown"`: it may have arrived.
 * `sent: "yes"`: the raw answer, unread.
 */
export type RefreshGrantAnswer =
  | {
      readonly sent: "no";
      readonly code: string;
      readonly retryAtMs?: number | undefined;
      /** No later try could do better: nothing is put off, and `ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED` says `code`. */
      readonly loginNeeded?: boolean | undefined;
    }
  | { readonly sent: "unknown"; readonly code: string; readonly retryAtMs?: number | undefined }
  | {
      readonly sent: "yes";
      readonly status: number;
      /** At most 1 MiB; a longer or cut answer is `sent: "unknown"`. */
      readonly body: Uint8Array;
      readonly retryAtMs?: number | undefined;
      readonly correlationId?: string | undefined;
    };

/**
 * Sends the grant once: fresh connection, no redirect, no retry. It must not throw for what the network does;
 * a throw counts as `sent: "unknown"` and its text is dropped.
 */
export type RefreshGrant<C> = (input: RefreshGrantInput<C>) => Promise<RefreshGrantAnswer>;
