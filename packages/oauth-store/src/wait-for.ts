import { type CredentialClock, later, systemClock } from "./credential-clock.ts";
import { CredentialError } from "./errors.ts";

export interface WaitForOptions {
  /** The caller's own deadline; its reason is what the caller gets. */
  readonly signal?: AbortSignal | undefined;
  /** @defaultValue none */
  readonly timeoutMs?: number | undefined;
  /** @defaultValue the system's clocks */
  readonly clock?: CredentialClock | undefined;
}

/** Waits for work somebody else owns. Giving up the wait leaves the work running. */
export async function waitFor<T>(work: Promise<T>, options: WaitForOptions): Promise<T> {
  const { signal, timeoutMs, clock = systemClock } = options;
  signal?.throwIfAborted();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const stop =
    timeoutMs === undefined
      ? undefined
      : later(clock, Math.max(0, timeoutMs), () => reject(waitTimeout(timeoutMs)));
  try {
    return await Promise.race([work, gaveUp]);
  } finally {
    stop?.();
    signal?.removeEventListener("abort", onAbort);
  }
}

function waitTimeout(timeoutMs: number): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_WAIT_TIMEOUT",
    `the credential was not there within ${Math.round(timeoutMs)} ms; the refresh goes on`,
  );
}
