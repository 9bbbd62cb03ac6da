/** A deadline that was started. */
export interface Deadline {
  readonly atMs: number;
  readonly onPassed: () => void;
  timer: NodeJS.Timeout | undefined;
}

/** Up to here a deadline has its own timer. */
const NEAR_MS = 2_000;
const SWEEP_MS = 1_000;

/**
 * The deadlines of many requests. Nearly all of them end long before, so a far one costs a place in a list that is
 * looked through once a second, and gets a timer of its own, which is exact, when it comes near.
 */
export class DeadlineTimers {
  readonly #far = new Set<Deadline>();
  #sweeper: NodeJS.Timeout | undefined;

  start(remainingMs: number, onPassed: () => void): Deadline {
    const deadline: Deadline = { atMs: performance.now() + remainingMs, onPassed, timer: undefined };
    if (remainingMs <= NEAR_MS) {
      deadline.timer = setTimeout(onPassed, Math.ceil(remainingMs));
    } else {
      this.#far.add(deadline);
      this.#sweeper ??= this.#nextSweep();
    }
    return deadline;
  }

  stop(deadline: Deadline): void {
    if (deadline.timer === undefined) this.#far.delete(deadline);
    else clearTimeout(deadline.timer);
  }

  /** What waits for its deadline has a socket that keeps the process alive; this does not. */
  #nextSweep(): NodeJS.Timeout {
    return setTimeout(() => this.#sweep(), SWEEP_MS).unref();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const deadline of this.#far) {
      const remainingMs = deadline.atMs - nowMs;
      if (remainingMs > NEAR_MS) continue;
      this.#far.delete(deadline);
      deadline.timer = setTimeout(deadline.onPassed, Math.max(0, Math.ceil(remainingMs)));
    }
    this.#sweeper = this.#far.size === 0 ? undefined : this.#nextSweep();
  }
}
