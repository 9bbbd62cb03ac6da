import { RetrySseError } from "./errors.ts";

export interface SilenceWatchOptions {
  /** Longest time without a byte. 0: none. */
  readonly idleTimeoutMs: number;
  /** Longest time without an event. 0: none. */
  readonly progressTimeoutMs: number;
  /** Called once, when either has passed while somebody was waiting. */
  readonly onSilence: (error: RetrySseError) => void;
}

/** Two clocks that run only while somebody waits, on one timer: a busy stream keeps the one it has. */
export class SilenceWatch {
  readonly #idleTimeoutMs: number;
  readonly #progressTimeoutMs: number;
  readonly #onSilence: (error: RetrySseError) => void;
  #state: "waiting" | "paused" | "stopped" = "paused";
  #waitingSinceMs = 0;
  #heardAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ idleTimeoutMs, progressTimeoutMs, onSilence }: SilenceWatchOptions) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#progressTimeoutMs = progressTimeoutMs;
    this.#onSilence = onSilence;
  }

  /** Somebody begins to wait for an event. */
  start(): void {
    if (this.#state === "stopped") return;
    this.#state = "waiting";
    this.#waitingSinceMs = this.#heardAtMs = performance.now();
    if (this.#timer === undefined) this.#arm();
    else this.#timer.ref();
  }

  /** Bytes arrived. */
  heard(): void {
    this.#heardAtMs = performance.now();
  }

  /** Nobody is waiting; the process may end. */
  pause(): void {
    if (this.#state === "stopped") return;
    this.#state = "paused";
    this.#timer?.unref();
  }

  stop(): void {
    this.#state = "stopped";
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const delayMs = this.#deadlineMs() - performance.now();
    // It fires early rather than late: deadlines only move away while it runs.
    if (delayMs !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#onTimer, Math.max(1, delayMs));
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    // Timers run before sockets are read: after a stall of our own, look first at what has arrived meanwhile.
    setImmediate(this.#judge);
  };

  readonly #judge = (): void => {
    if (this.#state !== "waiting" || this.#timer !== undefined) return;
    const nowMs = performance.now();
    if (nowMs < this.#deadlineMs()) this.#arm();
    else this.#onSilence(nowMs >= this.#idleDeadlineMs() ? this.#idleError() : this.#progressError());
  };

  #deadlineMs(): number {
    return Math.min(this.#idleDeadlineMs(), later(this.#waitingSinceMs, this.#progressTimeoutMs));
  }

  #idleDeadlineMs(): number {
    return later(this.#heardAtMs, this.#idleTimeoutMs);
  }

  #idleError(): RetrySseError {
    const message = `No byte arrived for ${this.#idleTimeoutMs} ms.`;
    return new RetrySseError("ERR_RETRY_SSE_IDLE_TIMEOUT", message);
  }

  #progressError(): RetrySseError {
    const message = `No event arrived for ${this.#progressTimeoutMs} ms.`;
    return new RetrySseError("ERR_RETRY_SSE_PROGRESS_TIMEOUT", message);
  }
}

/** Never, when there is no timeout. */
function later(fromMs: number, timeoutMs: number): number {
  return timeoutMs === 0 ? Number.POSITIVE_INFINITY : fromMs + timeoutMs;
}
