import type { CredentialClock } from "@hawser/oauth-store";
import type { Gates } from "./gates.ts";

/** Both clocks of all processes of a replay; nothing passes by itself. */
export class SimulatedTime {
  #nowMs = Date.now();
  /** How long each sleeping process has slept, or slept before. */
  readonly #slept = new Map<string, number>();
  readonly #asleep = new Set<string>();

  get nowMs(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const name of this.#asleep) this.#slept.set(name, (this.#slept.get(name) ?? 0) + ms);
  }

  /** The machine of a process sleeps: its monotonic clock stands still. */
  sleep(name: string): void {
    this.#asleep.add(name);
  }

  wake(name: string): void {
    this.#asleep.delete(name);
  }

  /** The clock of one process. Its short waits are gates; its long ones are never over. */
  clockOf(gates: Gates): CredentialClock {
    return {
      wallMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs - (this.#slept.get(gates.name) ?? 0),
      after: (delayMs, run) => {
        const gate = SHORT_WAITS.get(Math.round(delayMs));
        if (gate) void gates.reach(gate).then(run, () => {});
        return () => {};
      },
    };
  }
}

/** With `random: () => 0.999`: between two looks at a claim, and at the store of a foreign writer. */
const SHORT_WAITS: ReadonlyMap<number, string> = new Map([
  [150, "pause"],
  [250, "poll"],
]);
