/** Both clocks, so that tests can move them. */
export interface CredentialClock {
  /** Milliseconds since the epoch, for times that are stored. */
  wallMs(): number;
  /** Monotonic milliseconds, for deadlines. */
  monotonicMs(): number;
}

export const systemClock: CredentialClock = Object.freeze({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
});
