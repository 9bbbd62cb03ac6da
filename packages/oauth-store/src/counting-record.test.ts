import { describe, expect, it } from "vitest";
import { countingRecord, notSent } from "./counting-record.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { FoundRecord } from "./spend-ledger.ts";

const header: SpendHeader = {
  version: 1,
  fingerprint: "f",
  state: "claimed",
  attempt: 1,
  reason: "expiry",
  claimedAtMs: 5,
  leaseUntilMs: 6,
  failures: 0,
  uncertain: false,
  lineage: "l",
  generation: 0,
  snapshotHash: "s",
  clientHash: "c",
  owner: { host: "h", boot: "b", pid: 1 },
};
const record = (attempt: number, over: Partial<SpendHeader> | undefined): FoundRecord => ({
  fingerprint: "f",
  attempt,
  header: over && { ...header, attempt, ...over },
  writtenAtMs: 7,
});
const givenBack = notSent(header);

describe(countingRecord, () => {
  it.each<[string, FoundRecord[], number | undefined]>([
    ["the highest", [record(1, {}), record(10, {}), record(2, {})], 10],
    ["one that cannot be read as well", [record(1, {}), record(2, undefined)], 2],
    ["none that was given back", [record(1, {}), record(2, givenBack), record(3, givenBack)], 1],
    ["nothing, when all were given back", [record(1, givenBack)], undefined],
    ["one that the server did not take", [record(1, {}), record(2, { ...givenBack, nextAtMs: 9 })], 2],
    ["the settled one before all", [record(1, { state: "settled" }), record(2, {})], 1],
  ])("is %s", (_, attempts, counting) => {
    expect(countingRecord(attempts)?.attempt).toBe(counting);
  });
});
