import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { verifySignedBearer } from "./verify-signed-bearer.ts";

const secret = Buffer.from("0123456789abcdef0123456789abcdef");
const rules = { secret, maxSkewSeconds: 30, nowSeconds: 1_000 };

function sign(claims: object, { alg = "HS256", hash = "sha256", key = secret } = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg, typ: "JWT" })}.${part(claims)}`;
  return `${body}.${createHmac(hash, key).update(body).digest("base64url")}`;
}

describe(verifySignedBearer, () => {
  it.each([
    ["a fresh token", sign({ exp: 1_001 }), {}, undefined],
    ["a token expired within the skew", sign({ exp: 980 }), {}, undefined],
    ["an expired token", sign({ exp: 960 }), {}, "expired websocket jwt"],
    ["a token without exp", sign({}), {}, "invalid websocket jwt"],
    ["a token from the future", sign({ exp: 2_000, nbf: 1_100 }), {}, "websocket jwt is not valid yet"],
    ["another issuer", sign({ exp: 2_000, iss: "b" }), { issuer: "a" }, "websocket jwt issuer mismatch"],
    ["an audience list", sign({ exp: 2_000, aud: ["x", "a"] }), { audience: "a" }, undefined],
    [
      "another audience",
      sign({ exp: 2_000, aud: "x" }),
      { audience: "a" },
      "websocket jwt audience mismatch",
    ],
    ["alg none", sign({ exp: 2_000 }, { alg: "none" }), {}, "invalid websocket jwt"],
    ["HS512", sign({ exp: 2_000 }, { alg: "HS512", hash: "sha512" }), {}, "invalid websocket jwt"],
    ["another key", sign({ exp: 2_000 }, { key: Buffer.alloc(32) }), {}, "invalid websocket jwt"],
    ["no JWT at all", "a.b", {}, "invalid websocket jwt"],
  ])("judges %s", (_, jwt, more, expected) => {
    expect(verifySignedBearer(jwt, { ...rules, ...more })).toBe(expected);
  });
});
