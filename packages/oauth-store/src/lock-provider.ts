/** A lock that is held until it is released. */
export interface HeldLock {
  /** Whether the lock file at its path is still the one that is locked. */
  isIntact(): boolean;
  /** Gives it up. */
  release(): void;
}

/** How long a lock is waited for. */
export interface LockAcquireOptions {
  /** Longest wait, then `ERR_OAUTH_STORE_LOCK_TIMEOUT`. @defaultValue 60_000 */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait, with its reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when somebody else has the lock. */
  readonly onContention?: (() => void) | undefined;
}

/**
 * Whole-file locks that the operating system gives up when their holder dies. Locks that promise less, even those
 * that exclude nobody, still let each refresh token be sent once, if `provesDeath` is false of them: then a lease of
 * 60 s decides. Where it is true of them, a living sender counts as dead, and its token may be sent again.
 */
export interface LockProvider {
  /** Waits for the lock at `path`, creating an empty file for it. Throws `CredentialError`. */
  acquire(path: string, options?: LockAcquireOptions): Promise<HeldLock>;
  /**
   * Tries once to lock the descriptor of the file at `path`; false when somebody else has it. A promise where the
   * try could block the thread, as on network file systems.
   */
  tryLock(descriptor: number, path: string): boolean | Promise<boolean>;
  /** Gives up what `tryLock` got. */
  unlock(descriptor: number): void;
  /** Whether a free lock on `path` proves that its holder is dead. False in doubt, and on network and FUSE mounts. */
  provesDeath(path: string): boolean;
}
