import { LEASE_MS } from "./spend-backoff.ts";
import type { FoundRecord } from "./spend-ledger.ts";

/**
 * How long this process has seen one claim stand still, by the clock that nobody can set: a lease that a clock far
 * ahead has written would else last until ours is there too.
 */
export class ClaimWatch {
  #sign = "";
  #sinceMs = 0;

  /** Whether `record` has said the same for as long as any lease lasts. */
  hasOutlasted(record: FoundRecord, monotonicMs: number): boolean {
    const { fingerprint, attempt, header, writtenAtMs } = record;
    const sign = `${fingerprint}.${attempt} ${header?.leaseUntilMs ?? writtenAtMs}`;
    if (sign !== this.#sign) {
      this.#sign = sign;
      this.#sinceMs = monotonicMs;
    }
    return monotonicMs - this.#sinceMs >= LEASE_MS;
  }
}
