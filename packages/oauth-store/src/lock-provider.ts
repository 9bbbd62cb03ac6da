/** A lock that is held until it is released. */
export interface HeldLock {
  /** Whether the lock file at its path is still the one that is locked. */
  isIntact(): boolean;
  release(): void;
}

export interface LockAcquireOptions {
  /** @defaultValue 60_000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once, when somebody else has the lock. */
  readonly onContention?: (() => void) | undefined;
}

/** Whole-file locks that the operating system gives up when their holder dies. */
export interface LockProvider {
  /** Waits for the lock at `path`, creating an empty file for it. Throws `CredentialError`. */
  acquire(path: string, options?: LockAcquireOptions): Promise<HeldLock>;
  /**
   * Tries once to lock the descriptor of the file at `path`; false when somebody else has it. A promise where the
   * try could block the thread, as on network file systems.
   */
  tryLock(descriptor: number, path: string): boolean | Promise<boolean>;
  unlock(descriptor: number): void;
  /** Whether a free lock on `path` proves that whoever held it is dead. False on network and FUSE file systems. */
  provesDeath(path: string): boolean;
}
