import type { CredentialClock } from "../../src/index.ts";

export interface VirtualClock extends CredentialClock {
  after(delayMs: number, run: () => void): () => void;
  advance(ms: number): Promise<void>;
  jump(ms: number): void;
  /** How many wait for their time. */
  timers(): number;
}

/** Time that stands still until it is moved: `advance` moves both clocks and runs what is due, `jump` the wall clock alone. */
export function virtualClock(startMs: number = Date.now()): VirtualClock {
  let timers: { atMs: number; run: () => void }[] = [];
  let nowMs = 0;
  let skewMs = 0;
  return {
    wallMs: () => startMs + nowMs + skewMs,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        // What was started by the last timer gets its turn first.
        await new Promise((resolve) => setImmediate(resolve));
        const next = timers.filter((one) => one.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (!next) break;
        timers = timers.filter((one) => one !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      nowMs = untilMs;
    },
    jump(ms) {
      skewMs += ms;
    },
    timers: () => timers.length,
  };
}
