import type { CredentialClock } from "../../src/index.ts";

/** Real time, so many times as fast since `baseMs`; the same in every process that is given the same two numbers. */
export function fastClock(factor: number, baseMs: number): CredentialClock {
  let readMs: number | undefined;
  const passedMs = () => {
    if (readMs === undefined) {
      readMs = (performance.timeOrigin + performance.now() - baseMs) * factor;
      // Both clocks are read at one moment: a pause between two lines would look like a machine that slept.
      queueMicrotask(() => {
        readMs = undefined;
      });
    }
    return readMs;
  };
  return {
    wallMs: () => baseMs + passedMs(),
    monotonicMs: passedMs,
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs / factor);
      return () => clearTimeout(timer);
    },
  };
}
