import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { METADATA, NOT_PUBLIC, PUBLIC } from "../test/support/egress-table.ts";
import { addressBytes, isMetadataAddress, isPublicAddress, meantAddress } from "./address-reach.ts";

describe(isPublicAddress, () => {
  it.each(NOT_PUBLIC)("is false for %s (%s)", proves("transport/egress"), (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(PUBLIC)("is true for %s", proves("transport/egress"), (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it("is false for what is no address", proves("transport/egress"), () => {
    expect(["", "a.example", "1.2.3", "1.2.3.4.5", "::g"].map(isPublicAddress)).toEqual(
      new Array(5).fill(false),
    );
  });

  it("judges an address by its meaning, however it is written", proves("transport/egress"), () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = addressBytes(address);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        const answers = [address, `::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`];
        expect(new Set(answers.map(isPublicAddress)).size).toBe(1);
        expect(new Set(answers.map(isMetadataAddress)).size).toBe(1);
      }),
    );
  });

  it("reads every spelling of an IPv6 address alike", proves("transport/egress"), () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(addressBytes(address)).toEqual(addressBytes(canonical));
        expect(isPublicAddress(address)).toBe(isPublicAddress(canonical));
      }),
    );
  });
});

describe(isMetadataAddress, () => {
  it.each(NOT_PUBLIC)("knows %s (%s)", proves("transport/egress"), (address) => {
    expect(isMetadataAddress(address)).toBe(METADATA.has(address));
  });

  it("is false for the public internet, and true for what is no address", proves("transport/egress"), () => {
    expect(PUBLIC.filter(isMetadataAddress)).toEqual([]);
    expect(isMetadataAddress("nonsense")).toBe(true);
  });
});

describe(meantAddress, () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["64:ff9b::a00:1", "10.0.0.1"],
    ["fe80::1%eth0", "fe80:0:0:0:0:0:0:1"],
  ])("%s: %s", (address, meant) => {
    expect(meantAddress(address)).toBe(meant);
  });
});
