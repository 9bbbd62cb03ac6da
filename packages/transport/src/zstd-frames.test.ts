import { constants, zstdCompressSync } from "node:zlib";
import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZstdFrames } from "./zstd-frames.ts";

const isWhole = (...pieces: Uint8Array[]) => {
  const frames = new ZstdFrames();
  for (const piece of pieces) frames.feed(piece);
  return frames.isWhole;
};
const compressed = (bytes: Uint8Array, checksum: boolean, contentSize: boolean) =>
  zstdCompressSync(bytes, {
    params: {
      [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
      [constants.ZSTD_c_contentSizeFlag]: contentSize ? 1 : 0,
    },
  });
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  // Runs, which become blocks of one repeated byte, and enough of them for several blocks.
  fc.tuple(fc.nat(255), fc.nat(600_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
);

describe(ZstdFrames, () => {
  it(
    "knows the end of any frame, in any pieces, and no earlier place",
    proves("transport/decompression"),
    () => {
      fc.assert(
        fc.property(bodies, fc.boolean(), fc.boolean(), fc.nat(), (bytes, checksum, contentSize, at) => {
          const whole = compressed(bytes, checksum, contentSize);
          const cut = at % whole.length;
          expect(isWhole(whole.subarray(0, cut), whole.subarray(cut))).toBe(true);
          expect(isWhole(...Array.from(whole, (byte) => Uint8Array.of(byte)))).toBe(true);
          expect(isWhole(whole.subarray(0, cut))).toBe(false);
        }),
      );
    },
  );

  it("knows several frames, also such as are skipped", proves("transport/decompression"), () => {
    const frame = compressed(Buffer.from("frame"), true, true);
    const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

    expect(isWhole(skippable, frame, frame)).toBe(true);
    expect(isWhole(skippable.subarray(0, 10))).toBe(false);
    expect(isWhole(frame, frame.subarray(0, 3))).toBe(false);
  });

  it("is never whole on what is no frame, or on nothing", proves("transport/decompression"), () => {
    expect([isWhole(), isWhole(Buffer.from("garbage garbage"))]).toEqual([false, false]);
  });
});
