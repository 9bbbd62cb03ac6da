/** Deltas that wait to be let through one by one. */
export interface HeldDeltas {
  /** Lets the next `count` deltas through; without a count, lets all through and holds no more. */
  release(count?: number): void;
  /** Resolves when at least `count` deltas are waiting (1 by default), over all streams. */
  waiting(count?: number): Promise<void>;
}

export interface DeltaGate {
  hold(): HeldDeltas;
  /** Waits for a permit while held. Resolves false when the stream's client has gone meanwhile. */
  pass(gone: AbortSignal): Promise<boolean>;
  open(): void;
}

export function createDeltaGate(): DeltaGate {
  let holding = false;
  let permits = 0;
  const queue: (() => void)[] = [];
  const watchers = new Set<() => void>();

  const letGo = () => {
    while (queue.length > 0 && (!holding || permits > 0)) {
      if (holding) permits -= 1;
      queue.shift()?.();
    }
  };
  const open = () => {
    holding = false;
    permits = 0;
    letGo();
  };

  return {
    hold() {
      holding = true;
      return {
        release(count) {
          if (count === undefined) return open();
          permits += count;
          letGo();
        },
        waiting: (count = 1) =>
          new Promise((resolve) => {
            const check = () => {
              if (queue.length < count) return;
              watchers.delete(check);
              resolve();
            };
            watchers.add(check);
            check();
          }),
      };
    },
    pass(gone) {
      if (gone.aborted) return Promise.resolve(false);
      return new Promise((resolve) => {
        const leave = () => {
          const at = queue.indexOf(go);
          if (at >= 0) queue.splice(at, 1);
          resolve(false);
        };
        const go = () => {
          gone.removeEventListener("abort", leave);
          resolve(true);
        };
        gone.addEventListener("abort", leave, { once: true });
        queue.push(go);
        letGo();
        for (const check of [...watchers]) check();
      });
    },
    open,
  };
}
