import type { SpendHeader } from "./spend-header.ts";
import type { FoundRecord } from "./spend-ledger.ts";

/** The outcome code of an attempt that was given back before anything was sent. */
const NOT_SENT = "not-sent";

/** The header of an attempt that was given back: due at once, whatever any clock says. */
export function notSent(header: SpendHeader): SpendHeader {
  return { ...header, state: "deferred", outcomeCode: NOT_SENT, nextAtMs: 0 };
}

/**
 * Of all attempts at one refresh token the one that says how it stands: the highest. One that was given back says
 * nothing, it only keeps its number from being used again; and once a successor was saved, whatever else was begun
 * then or later by somebody who did not know counts for nothing.
 */
export function countingRecord(attempts: readonly FoundRecord[]): FoundRecord | undefined {
  const falling = [...attempts].sort((a, b) => b.attempt - a.attempt);
  const isSettled = ({ header }: FoundRecord) => header?.state === "settled";
  return falling.find(isSettled) ?? falling.find(({ header }) => !isNotSent(header));
}

export function isNotSent(header: SpendHeader | undefined): boolean {
  return header?.state === "deferred" && header.outcomeCode === NOT_SENT && header.nextAtMs === 0;
}
