import { CredentialError } from "./errors.ts";
import type { HeldLock } from "./lock-provider.ts";

export interface MemoryLock {
  acquire(options: {
    timeoutMs: number;
    signal?: AbortSignal | undefined;
    onContention?: (() => void) | undefined;
  }): Promise<HeldLock>;
}

/** A lock among the callers of one object, in the order in which they came. `what` is for the error. */
export function createMemoryLock(what = "the credential's lock"): MemoryLock {
  const waiting: (() => void)[] = [];
  let held = false;

  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else held = false;
  };
  const hold = (): HeldLock => {
    let mine = true;
    return {
      isIntact: () => mine,
      release() {
        if (mine) release();
        mine = false;
      },
    };
  };

  return {
    acquire({ timeoutMs, signal, onContention }) {
      signal?.throwIfAborted();
      if (!held) {
        held = true;
        return Promise.resolve(hold());
      }
      const { promise, resolve, reject } = Promise.withResolvers<HeldLock>();
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        const place = waiting.indexOf(take);
        if (place >= 0) waiting.splice(place, 1);
      };
      const take = () => {
        leave();
        resolve(hold());
      };
      const onAbort = () => {
        leave();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        leave();
        reject(
          new CredentialError("ERR_OAUTH_STORE_LOCK_TIMEOUT", `not free within ${timeoutMs} ms: ${what}`),
        );
      }, timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.push(take);
      onContention?.();
      return promise;
    },
  };
}
