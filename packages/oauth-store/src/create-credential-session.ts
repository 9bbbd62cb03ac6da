import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type CredentialClock, systemClock } from "./credential-clock.ts";
import type { CredentialKind } from "./credential-kind.ts";
import type { CredentialLevel, CredentialNesting } from "./credential-nesting.ts";
import type { CredentialSession } from "./credential-session.ts";
import type { CredentialStore } from "./credential-store.ts";
import { createFileLedger } from "./file-ledger.ts";
import { flockProvider } from "./flock-provider.ts";
import type { LockProvider } from "./lock-provider.ts";
import { ownLedger } from "./own-ledger.ts";
import { OwnedSession } from "./owned-session.ts";
import type { RefreshGrant } from "./refresh-grant.ts";
import type { SpendOwner } from "./spend-header.ts";

/**
 * How one credential is kept. The place of the store, `key`, `home` and `lockPath` must be the same for all sessions
 * that share it, and all must run as the same user.
 */
export interface CredentialSessionOptions<C, V> {
  /** What the engine has to know of such credentials: `oauthCredential`, or a kind of your own. */
  readonly kind: CredentialKind<C, V>;
  /** Where the credential is. No other store is used in its place. */
  readonly store: CredentialStore;
  /** The full store key, as `storeKey` makes it. The entry, the lock and the records are found by it. */
  readonly key: string;
  /** Directory of `locks/` and `spend/`, made if missing. Omitted for a memory store, which keeps both itself. */
  readonly home?: string | undefined;
  /** What locks the credential and its records. @defaultValue flockProvider(), one for this session */
  readonly locks?: LockProvider | undefined;
  /** The credential's lock file. @defaultValue `locks/<sha256 of the key>.lock` in the home */
  readonly lockPath?: string | undefined;
  /** Spends a refresh token. Called under the credential's lock, once an attempt; it must not use this session. */
  readonly refreshGrant: RefreshGrant<C>;
  /**
   * Revokes a credential, its refresh token included: called once by a logout, after the removal, with the newest one
   * known. A throw is dropped and reported as `revoked: false`; the wait has no limit but its own.
   * @defaultValue nothing is revoked
   */
  readonly revoke?: ((credential: C) => Promise<void>) | undefined;
  /**
   * Programs that do not take our lock write to the store too: before a refusal is believed, the store is watched for
   * up to 6 s for what one of them may have saved. @defaultValue false
   */
  readonly foreignWriters?: boolean | undefined;
  /** Where this credential stands among those whose refresh needs another. @defaultValue it needs none */
  readonly nesting?: { readonly scope: CredentialNesting; readonly level: CredentialLevel } | undefined;
  /** Both clocks, for tests. @defaultValue the system's clocks */
  readonly clock?: CredentialClock | undefined;
  /** In [0, 1), for jitter. @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
  /** For tests: called at each named point between two steps, and waited for. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

/**
 * Opens one credential. Nothing is read or locked before it is used. Shared work runs in the async context in which
 * the session was created, never in a caller's. Dispose of it to end its background work. Throws `TypeError` for a
 * store that keeps no records itself when no home is given.
 */
export function createCredentialSession<C, V>(
  options: CredentialSessionOptions<C, V>,
): CredentialSession<C, V> {
  const {
    kind,
    store,
    key,
    home,
    locks = flockProvider(),
    lockPath,
    refreshGrant,
    revoke,
    foreignWriters = false,
    nesting,
    clock = systemClock,
    random = Math.random,
    faultPoint,
  } = options;
  const own = ownLedger(store, key);
  if (!own && home === undefined) {
    throw new TypeError(`the ${store.name} store keeps no records itself: pass a home`);
  }
  const ledger = own ?? createFileLedger({ home: home ?? "", key, locks, lockPath, faultPoint });
  return new OwnedSession({
    kind,
    store,
    key,
    ledger,
    clock,
    random,
    owner: thisProcess(),
    foreignWriters,
    nesting,
    refreshGrant,
    revoke,
    faultPoint,
  });
}

function thisProcess(): SpendOwner {
  return { host: hostname().slice(0, 64), boot: bootId(), pid: process.pid };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 36);
  } catch {
    return "unknown"; // Only Linux says; it is for diagnosis.
  }
}
