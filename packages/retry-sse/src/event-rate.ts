import { RetrySseError } from "./errors.ts";

/** How many events may come: so many in a second, and after a pause as many at once. */
export class EventRate {
  readonly #maxPerSecond: number;
  #allowed: number;
  #refilledMs = performance.now();

  /** @param maxPerSecond 0: as many as come. */
  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond === 0 ? Number.POSITIVE_INFINITY : maxPerSecond;
    this.#allowed = this.#maxPerSecond;
  }

  /** Counts the time that has passed; called for each piece of the stream rather than for each event. */
  refill(): void {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#refilledMs) / 1000) * this.#maxPerSecond;
    // Nothing times infinity is no number.
    if (earned > 0) this.#allowed = Math.min(this.#maxPerSecond, this.#allowed + earned);
    this.#refilledMs = nowMs;
  }

  take(): boolean {
    this.#allowed -= 1;
    return this.#allowed >= 0;
  }

  error(): RetrySseError {
    const message = `More than ${this.#maxPerSecond} events arrived in a second.`;
    return new RetrySseError("ERR_RETRY_SSE_TOO_MANY_EVENTS", message);
  }
}
