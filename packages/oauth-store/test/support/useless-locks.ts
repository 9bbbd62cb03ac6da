import type { LockProvider } from "../../src/index.ts";

/** Locks that everybody gets at once, and that therefore prove nothing. */
export const uselessLocks: LockProvider = {
  acquire: async () => ({ isIntact: () => true, release() {} }),
  tryLock: () => true,
  unlock() {},
  provesDeath: () => false,
};
