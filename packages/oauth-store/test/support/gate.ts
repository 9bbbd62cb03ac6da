/** Stops whoever comes to a fault point, the first time. */
export interface Gate {
  readonly reached: Promise<void>;
  open(): void;
  readonly faultPoint: (name: string) => Promise<void>;
}

export function gate(point: string): Gate {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let times = 0;
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    async faultPoint(name) {
      if (name !== point || times++ > 0) return;
      reached.resolve();
      await opened.promise;
    },
  };
}
