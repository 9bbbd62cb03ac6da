/** Runs works one after the other, in the order in which they were handed in. */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => {}); // Whoever handed it in is told.
    return mine;
  };
}

/** What `work` resolves with, or `"late"` when time or signal end first: then `whenBack` runs as soon as it is over. */
export async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  whenBack: () => void,
): Promise<T | "late"> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const giveUp = () => resolve("late");
  const timer = setTimeout(giveUp, timeoutMs);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const end = await Promise.race([work, late]);
    if (end === "late") void work.then(whenBack, whenBack);
    return end;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}
