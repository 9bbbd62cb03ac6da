import { closeSync, fstatSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { LockProvider } from "@hawser/oauth-store";
import type { Scenario } from "../scenario.ts";
import type { Gates } from "./gates.ts";

/** The locks of one kernel: who has which file locked. */
export class SimulatedKernel {
  readonly #held = new Map<string, string>();
  readonly #holding = new Set<string>();
  readonly #kind: Scenario["lock"];

  constructor(kind: Scenario["lock"]) {
    this.#kind = kind;
  }

  /** The locks as one process sees them. Taking the credential's lock is a gate. */
  locksOf(process: string, gates: Gates): LockProvider {
    return {
      acquire: async (path) => {
        await gates.reach("lock");
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        const descriptor = openSync(path, "a+", 0o600);
        const file = inodeOf(descriptor);
        if (!this.#take(file, process)) throw new Error(`${process}: the lock is not free`);
        this.#holding.add(process);
        let open = true;
        return {
          isIntact: () => open && inodeAt(path) === file,
          release: () => {
            if (!open) return;
            open = false;
            this.#holding.delete(process);
            this.#free(file, process);
            closeSync(descriptor);
          },
        };
      },
      tryLock: (descriptor) => this.#take(inodeOf(descriptor), `${process}#${descriptor}`),
      unlock: (descriptor) => this.#free(inodeOf(descriptor), `${process}#${descriptor}`),
      provesDeath: () => this.#kind === "proves death",
    };
  }

  /** Whether a process has the credential's lock. */
  isHolding(process: string): boolean {
    return this.#holding.has(process);
  }

  /** Frees everything that a dead process had, or one that slept past its lease. */
  kill(process: string): void {
    this.#holding.delete(process);
    for (const [file, holder] of this.#held) if (holder.split("#")[0] === process) this.#held.delete(file);
  }

  #take(file: string, holder: string): boolean {
    if (this.#kind === "excludes nobody") return true;
    if (this.#held.has(file)) return false;
    this.#held.set(file, holder);
    return true;
  }

  #free(file: string, holder: string): void {
    if (this.#held.get(file) === holder) this.#held.delete(file);
  }
}

function inodeOf(descriptor: number): string {
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return `${dev}:${ino}`;
}

function inodeAt(path: string): string | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}
