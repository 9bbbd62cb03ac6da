import type { CredentialKind } from "./credential-kind.ts";
import type { CredentialSession } from "./credential-session.ts";
import type { CredentialStore } from "./credential-store.ts";
import type { LockProvider } from "./lock-provider.ts";
import type { RefreshGrant } from "./refresh-grant.ts";

export interface CredentialSessionOptions<C, V> {
  readonly kind: CredentialKind<C, V>;
  readonly store: CredentialStore;
  /** The full store key. */
  readonly key: string;
  /** Directory for `locks/` and `spend/`. Omitted for a memory store, which keeps both itself. */
  readonly home?: string | undefined;
  /** @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
  /** The credential's lock file. @defaultValue `locks/<sha256 of the key>.lock` in the home */
  readonly lockPath?: string | undefined;
  readonly refreshGrant: RefreshGrant<C>;
  /** Revokes a credential at logout. @defaultValue nothing is revoked */
  readonly revoke?: ((credential: C) => Promise<void>) | undefined;
  /** Programs that do not take our lock write to the store too: a refusal is believed 6 s later. @defaultValue false */
  readonly foreignWriters?: boolean | undefined;
  /** @defaultValue the system's clocks */
  readonly clock?: CredentialClock | undefined;
  /** In [0, 1), for jitter. @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
  /** For tests: called at each named point between two steps, and waited for. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

export interface CredentialClock {
  /** Milliseconds since the epoch, for times that are stored. */
  wallMs(): number;
  /** Monotonic milliseconds, for deadlines. */
  monotonicMs(): number;
}

/** Opens one credential. Nothing is read or locked before it is used. */
export function createCredentialSession<C, V>(
  _options: CredentialSessionOptions<C, V>,
): CredentialSession<C, V> {
  throw new Error("not built yet");
}
