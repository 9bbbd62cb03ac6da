import { flockProvider, type LockProvider } from "../../src/index.ts";

/** Real locks that are given up on a thousand times as soon. */
export function hastyLocks(): LockProvider {
  const locks = flockProvider();
  return {
    ...locks,
    acquire: (path, options) =>
      locks.acquire(path, { ...options, timeoutMs: (options?.timeoutMs ?? 60_000) / 1000 }),
  };
}
