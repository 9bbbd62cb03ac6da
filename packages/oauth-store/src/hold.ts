import type { CredentialClock } from "./credential-clock.ts";
import type { HeldLock } from "./lock-provider.ts";

/** The answer is there by then, counted from the lock. */
export const ANSWER_LIMIT_MS = 45_000;
/** The commit is done by then. */
export const HOLD_LIMIT_MS = 55_000;

const MAX_DRIFT_MS = 2000;

/** One holding of the credential's lock, and its time. */
export class Hold {
  readonly lock: HeldLock;
  #epoch: number;
  readonly #clock: CredentialClock;
  readonly #sinceMs: number;
  #wallMs: number;
  #monotonicMs: number;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(lock: HeldLock, clock: CredentialClock, epoch: number) {
    this.lock = lock;
    this.#epoch = epoch;
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
    this.#monotonicMs = this.#sinceMs;
    this.#wallMs = clock.wallMs();
  }

  /** What was judged under this hold is published only if no login or logout was made here since. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Milliseconds left until `limitMs` of holding; not below zero. */
  leftMs(limitMs: number): number {
    return Math.max(0, limitMs - (this.#clock.monotonicMs() - this.#sinceMs));
  }

  /** Whether the machine slept or its clock was set since the lock or the last `rebase`. */
  hasDrifted(): boolean {
    const wallMs = this.#clock.wallMs() - this.#wallMs;
    const monotonicMs = this.#clock.monotonicMs() - this.#monotonicMs;
    return Math.abs(wallMs - monotonicMs) > MAX_DRIFT_MS;
  }

  /** Everything is judged anew: measure drift from here, and what is made here from now on. */
  rebase(epoch: number): void {
    this.#epoch = epoch;
    this.#wallMs = this.#clock.wallMs();
    this.#monotonicMs = this.#clock.monotonicMs();
  }

  /** From a claim on, the process must not end by running out of work. */
  keepAlive(): void {
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30);
  }

  end(): void {
    clearInterval(this.#keepAlive);
    this.lock.release();
  }
}
