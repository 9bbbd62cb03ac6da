/**
 * How an endpoint misbehaves: a number is answered as that status with an empty body; `stall` never answers; `cut`
 * closes the connection before anything is done; `lose` does what was asked and closes the connection instead of
 * answering.
 */
export type Fault = number | "stall" | "cut" | "lose";

export interface FaultOptions {
  /** How many requests it hits. @defaultValue every one until it is taken back */
  times?: number | undefined;
}

export interface FaultSwitch {
  /** Sets the fault, or takes it back with `undefined`. */
  set(fault: Fault | undefined, options?: FaultOptions): void;
  /** What happens to the request at hand; each call uses up one of `times`. */
  take(): Fault | undefined;
}

export function createFaultSwitch(): FaultSwitch {
  let current: Fault | undefined;
  let left = 0;
  return {
    set(fault, { times = Number.POSITIVE_INFINITY } = {}) {
      current = fault;
      left = times;
    },
    take() {
      if (current === undefined || left <= 0) return undefined;
      left -= 1;
      return current;
    },
  };
}
