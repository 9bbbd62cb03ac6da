import type { HeldLock, LockAcquireOptions } from "./lock-provider.ts";
import { createMemoryLock, type MemoryLock } from "./memory-lock.ts";

type Acquire = (path: string, options?: LockAcquireOptions) => Promise<HeldLock>;

/**
 * Lets callers of one object wait for each other in the order in which they came, so that only the first of them
 * polls for the lock that other processes share.
 */
export function queueByPath(acquire: Acquire): Acquire {
  const queues = new Map<string, { readonly lock: MemoryLock; users: number }>();

  return async (path, { timeoutMs = 60_000, signal, onContention } = {}) => {
    const deadlineMs = performance.now() + timeoutMs;
    let contended = false;
    const tellOnce = () => {
      if (!contended) onContention?.();
      contended = true;
    };
    const queue = queues.get(path) ?? { lock: createMemoryLock(path), users: 0 };
    queues.set(path, queue);
    queue.users += 1;
    let turn: HeldLock | undefined;
    const leave = () => {
      turn?.release();
      queue.users -= 1;
      if (queue.users === 0) queues.delete(path);
    };
    try {
      turn = await queue.lock.acquire({ timeoutMs, signal, onContention: tellOnce });
      const leftMs = Math.max(0, Math.ceil(deadlineMs - performance.now()));
      const lock = await acquire(path, { timeoutMs: leftMs, signal, onContention: tellOnce });
      let open = true;
      return {
        isIntact: () => lock.isIntact(),
        release() {
          if (!open) return;
          open = false;
          lock.release();
          leave();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  };
}
