import { abortedError } from "./errors.ts";

/** The longest a Node timer can wait; anything longer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Waits, unless the caller gives up.
 *
 * @throws {@link RetrySseError} `ERR_RETRY_SSE_ABORTED`.
 */
export function waitMs(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(abortedError(signal));
    return promise;
  }
  const onAbort = (): void => {
    clearTimeout(timer);
    if (signal !== undefined) reject(abortedError(signal));
  };
  const timer = setTimeout(
    () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    },
    Math.min(delayMs, MAX_TIMER_MS),
  );
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise;
}
