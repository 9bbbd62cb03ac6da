import { CredentialError } from "./errors.ts";

export interface WaitForOptions {
  /** The caller's own deadline; its reason is what the caller gets. */
  readonly signal?: AbortSignal | undefined;
  /** @defaultValue none */
  readonly timeoutMs?: number | undefined;
}

/** Waits for work somebody else owns. Giving up the wait leaves the work running. */
export async function waitFor<T>(work: Promise<T>, { signal, timeoutMs }: WaitForOptions): Promise<T> {
  signal?.throwIfAborted();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => reject(waitTimeout(timeoutMs)), Math.max(0, timeoutMs));
  try {
    return await Promise.race([work, gaveUp]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function waitTimeout(timeoutMs: number): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_WAIT_TIMEOUT",
    `the credential was not there within ${Math.round(timeoutMs)} ms; the refresh goes on`,
  );
}
