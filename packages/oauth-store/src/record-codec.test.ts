import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeader, encodeHeader, HEADER_BYTES } from "./record-codec.ts";
import type { SpendHeader } from "./spend-header.ts";

const header: SpendHeader = {
  version: 1,
  fingerprint: "f".repeat(32),
  state: "unknown",
  attempt: 2,
  reason: "rejected",
  claimedAtMs: 1_800_000_000_000,
  leaseUntilMs: 1_800_000_060_000,
  nextAtMs: 1_800_000_001_000,
  failures: 1,
  uncertain: true,
  outcomeCode: "http-502",
  correlationId: "abc",
  lineage: "l".repeat(32),
  generation: 7,
  snapshotHash: "s".repeat(64),
  clientHash: "c".repeat(32),
  owner: { host: "host", boot: "boot", pid: 4711 },
};

describe(decodeHeader, () => {
  it("reads what was written", () => {
    const bytes = encodeHeader(header);
    expect(bytes).toHaveLength(HEADER_BYTES);
    expect(decodeHeader(bytes)).toEqual(header);
  });

  it("calls a header unreadable that is torn, changed or was never written", () => {
    const whole = encodeHeader(header);
    const length = Buffer.from(whole).indexOf(0);
    expect(decodeHeader(new Uint8Array(HEADER_BYTES))).toBeUndefined();
    expect(decodeHeader(new Uint8Array(0))).toBeUndefined();
    fc.assert(
      fc.property(fc.nat({ max: length - 2 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = whole.slice();
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(decodeHeader(changed)).toBeUndefined();
        expect(decodeHeader(whole.slice(0, at))).toBeUndefined();
      }),
    );
  });
});
