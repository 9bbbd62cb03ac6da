import type { ByteSource } from "./byte-source.ts";

export interface DrainOptions {
  /** How long the rest may take. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, unless the bytes have ended before. */
  readonly release: () => void;
}

/** A polite server has nothing more to say; one that goes on is not listened to. */
const MAX_DRAINED_BYTES = 65_536;

/**
 * Reads on, for nobody, until the bytes end: a connection whose body was read to its end serves the next request. What
 * takes too long or is too much is released instead.
 */
export function drainSource(source: ByteSource, { waitMs, signal, release }: DrainOptions): void {
  let left = MAX_DRAINED_BYTES;
  let over = false;
  const end = (): void => {
    over = true;
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  };
  const giveUp = (): void => {
    if (over) return;
    end();
    release();
  };
  const read = async (): Promise<void> => {
    while (!over) {
      const { done, value } = await source.read();
      left -= value?.length ?? 0;
      if (done) end();
      else if (left < 0) giveUp();
    }
  };
  const timer = setTimeout(giveUp, waitMs);
  timer.unref();
  if (signal?.aborted) giveUp();
  else signal?.addEventListener("abort", giveUp, { once: true });
  // A source that fails has ended; whoever read the events does not hear of it.
  read().catch(end);
}
