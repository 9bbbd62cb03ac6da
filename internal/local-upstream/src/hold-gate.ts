/** Requests that wait at a gate. */
export interface Hold {
  /** Resolves when as many as asked for are waiting. */
  readonly held: Promise<void>;
  /** Lets all of them go, and those that would still be held. */
  release(): void;
}

export interface HoldGate {
  /** Holds the next `count` that come; a hold that still stands is released first. */
  hold(count: number): Hold;
  /** Waits while held. */
  pass(): Promise<void>;
  /** Lets everything go, for good. */
  open(): void;
}

export function createHoldGate(): HoldGate {
  let current: { left: number; full: () => void; go: Promise<void>; release: () => void } | undefined;
  return {
    hold(count) {
      current?.release();
      const full = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      const mine = { left: count, full: full.resolve, go: go.promise, release: go.resolve };
      current = mine;
      if (count <= 0) full.resolve();
      return {
        held: full.promise,
        release() {
          if (current === mine) current = undefined;
          go.resolve();
        },
      };
    },
    async pass() {
      const mine = current;
      if (!mine || mine.left <= 0) return;
      mine.left -= 1;
      if (mine.left === 0) mine.full();
      await mine.go;
    },
    open() {
      current?.release();
      current = undefined;
    },
  };
}
