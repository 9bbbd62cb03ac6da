import type { JsonValue } from "./credential-kind.ts";

/** What shall become of an entry. */
export type StoreChange = { readonly write: JsonValue } | "remove" | "keep";

export interface StoreUpdateOptions {
  /** Longest wait for the store's own lock. @defaultValue 60_000 */
  readonly lockTimeoutMs?: number | undefined;
  /** Move a store that cannot be read aside and go on as if it were empty. @defaultValue false */
  readonly quarantine?: boolean | undefined;
  /** For tests: called between the steps of a write. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

/** Where credentials are kept. It knows entries and keys; what they mean is the kind's affair. */
export interface CredentialStore {
  /** For reports: `"file"`, `"memory"`. */
  readonly name: string;
  /** The entry, or undefined when there is none. Throws `CredentialError` when that cannot be told. */
  read(key: string): Promise<JsonValue | undefined>;
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
  rehearse(key: string, entry: JsonValue): Promise<void>;
}
