/** One named secret of a keyring. A call may take as long as it likes: whoever uses it bounds the wait. */
export interface KeyringEntry {
  /** The secret; undefined when there is none. Rejects when that cannot be told. */
  get(): Promise<string | undefined>;
  /** Resolves when the keyring says that it has kept it; it is read back all the same. */
  set(secret: string): Promise<void>;
  /** False when there was none. Rejects when it is there and cannot be removed. */
  remove(): Promise<boolean>;
}

/** A keyring: the operating system's, or one a test has made. */
export interface KeyringProvider {
  /** Names an entry; asks for nothing yet. */
  entry(service: string, account: string): KeyringEntry;
}
