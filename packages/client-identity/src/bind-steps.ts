/** Runs something at once, in a place of its choice. */
type Run = <T>(step: () => T) => T;

const STEPS = ["next", "return", "throw"] as const;

/** Whether a value is what a generator function returns, synchronous or not: its body runs when it is asked. */
export function isGenerator(value: unknown): value is Generator | AsyncGenerator {
  if (typeof value !== "object" || value === null) return false;
  const tag = Object.prototype.toString.call(value);
  return tag === "[object AsyncGenerator]" || tag === "[object Generator]";
}

/** Makes every step of this very generator run through `run`. */
export function bindSteps(generator: Generator | AsyncGenerator, run: Run): void {
  for (const name of STEPS) {
    const step = generator[name] as (...args: unknown[]) => unknown;
    Object.defineProperty(generator, name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]) => run(() => step.apply(generator, args)),
    });
  }
}

/** An iterator whose every step, the making of the iterator included, runs through `run`. */
export function stepsOf<T>(items: AsyncIterable<T>, run: Run): AsyncIterableIterator<T> {
  let iterator: AsyncIterator<T> | undefined;
  const opened = (): AsyncIterator<T> => {
    iterator ??= items[Symbol.asyncIterator]();
    return iterator;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: (...args) => run(() => opened().next(...args)),
    async return(value) {
      const left = await run(async () => opened().return?.(value));
      return left ?? { done: true, value };
    },
  };
}
