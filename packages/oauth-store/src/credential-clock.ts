/** Both clocks, so that tests can move them. */
export interface CredentialClock {
  /** Milliseconds since the epoch, for times that are stored. */
  wallMs(): number;
  /** Monotonic milliseconds, for deadlines. */
  monotonicMs(): number;
  /** Calls `run` that much later by this clock; returns the way to give that up. @defaultValue setTimeout */
  after?(delayMs: number, run: () => void): () => void;
}

export const systemClock: CredentialClock = Object.freeze({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
});

/** `clock.after`, or a timer of the process; one for the background does not keep the process running. */
export function later(
  clock: CredentialClock,
  delayMs: number,
  run: () => void,
  { background = false }: { background?: boolean } = {},
): () => void {
  if (clock.after) return clock.after(delayMs, run);
  const timer = setTimeout(run, delayMs);
  if (background) timer.unref();
  return () => clearTimeout(timer);
}

export function pause(clock: CredentialClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    later(clock, delayMs, resolve);
  });
}
