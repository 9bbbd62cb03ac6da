import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prepareSeal, type SealContext, unseal } from "./seal.ts";

const context = { storeKey: "k", clientHash: "c", lineage: "l", fingerprint: "f" };
const spent = randomBytes(32).toString("base64url");
const plain = Buffer.from('{"answer":"the successor"}');

function seal(text: Uint8Array, token: string, bound: SealContext): Uint8Array {
  return prepareSeal(token, bound)(text);
}

describe(unseal, () => {
  it("opens with the spent token in a longer body, and tells nothing without it", () => {
    const sealed = seal(plain, spent, context);
    const body = Buffer.concat([sealed, Buffer.alloc(1000)]);
    expect(unseal(body, spent, context)).toEqual(plain);
    expect(Buffer.from(sealed).includes("successor")).toBe(false);
    expect(unseal(body, `${spent}x`, context)).toBeUndefined();
  });

  it.each(["storeKey", "clientHash", "lineage", "fingerprint"] as const)("is bound to the %s", (part) => {
    const body = seal(plain, spent, context);
    expect(unseal(body, spent, { ...context, [part]: "other" })).toBeUndefined();
  });

  it("does not open when anything in it was changed or is missing", () => {
    const body = seal(plain, spent, context);
    fc.assert(
      fc.property(fc.nat({ max: body.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(body);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(unseal(changed, spent, context)).toBeUndefined();
        expect(unseal(body.slice(0, at), spent, context)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
    expect(unseal(new Uint8Array(60 * 1024), spent, context)).toBeUndefined();
  });
});
