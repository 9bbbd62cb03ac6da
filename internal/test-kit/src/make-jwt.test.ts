import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeJwt } from "./make-jwt.ts";

describe(makeJwt, () => {
  it("makes a compact token with the claims and an HS256 signature of the given key", () => {
    const [header = "", claims = "", signature, ...rest] = makeJwt({ sub: "ünï" }, { secret: "k" }).split(
      ".",
    );
    expect(rest).toEqual([]);
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({ alg: "HS256", typ: "JWT" });
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toEqual({ sub: "ünï" });
    expect(signature).toBe(createHmac("sha256", "k").update(`${header}.${claims}`).digest("base64url"));
  });

  it("leaves an unsigned token in three parts", () => {
    const parts = makeJwt({}, { header: { alg: "none" } }).split(".");
    expect(parts).toHaveLength(3);
    expect(parts.every((part) => part !== "")).toBe(true);
  });
});
