import type { JsonValue } from "./credential-kind.ts";

/** What shall become of an entry. */
export type StoreChange = { readonly write: JsonValue } | "remove" | "keep";

/** How one change is made. */
export interface StoreUpdateOptions {
  /** Longest wait for the store's own lock. @defaultValue 60_000 */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * A login or logout: a store that cannot be read is moved aside (in a keyring, written over), and the change goes
   * on as if it were empty. @defaultValue false
   */
  readonly quarantine?: boolean | undefined;
  /** For tests: called between the steps of a write. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

/** How long a read may wait. */
export interface StoreReadOptions {
  /**
   * Longest wait where a read needs the store's lock; at 0 it is tried once, and somebody else's is
   * `ERR_OAUTH_STORE_LOCK_TIMEOUT`. A store that is one of several decides nothing in such a read. @defaultValue 60_000
   */
  readonly lockTimeoutMs?: number | undefined;
}

/** What a rehearsal is to leave out. */
export interface StoreRehearsalOptions {
  /** How many bytes of the entry are there only to make it long; a store with a hard limit leaves them out. */
  readonly paddingBytes?: number | undefined;
  /** For tests: called between the steps. */
  readonly faultPoint?: StoreUpdateOptions["faultPoint"];
}

/** What a removal from several places came to. */
export interface StoreRemoval {
  /** Whether there was anything, in any of them. */
  readonly removed: boolean;
  /** Places that could not be emptied. */
  readonly failures: readonly { readonly store: string; readonly code: string }[];
}

/** Where credentials are kept. It knows entries and keys; what they mean is the kind's affair. */
export interface CredentialStore {
  /** For reports: `"file"`, `"memory"`. */
  readonly name: string;
  /** The entry, or undefined when there is none. Throws `CredentialError` when that cannot be told. */
  read(key: string, options?: StoreReadOptions): Promise<JsonValue | undefined>;
  /**
   * Changes one entry under the store's own lock: `change` sees what is there and says what shall be. When this
   * resolves, the change is durable; every other entry is as it was.
   */
  update(
    key: string,
    change: (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>,
    options?: StoreUpdateOptions,
  ): Promise<void>;
  /** Proves that `entry` could be saved now, changing nothing that anybody reads. Throws `CredentialError`. */
  rehearse(key: string, entry: JsonValue, options?: StoreRehearsalOptions): Promise<void>;
  /**
   * Reads under the store's own lock: what a writer is just about to save is waited for. Throws when there is no
   * lock to be had, except for a file that is not there where this user could not make one. @defaultValue the store has no lock that reading could take
   */
  readLocked?(key: string, options?: StoreReadOptions): Promise<JsonValue | undefined>;
  /**
   * Removes the entry from every place it may stand, and goes on after a failure.
   * @defaultValue there is one place, and `update` removes it
   */
  removeEverywhere?(key: string, options?: StoreUpdateOptions): Promise<StoreRemoval>;
}
