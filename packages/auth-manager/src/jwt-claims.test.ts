import { makeJwt } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { readJwtClaims } from "./jwt-claims.ts";

describe(readJwtClaims, () => {
  it("reads the account, the person and the times", () => {
    const token = makeJwt({
      iat: 1000,
      exp: 4600,
      sub: "user-1",
      "https://api.openai.com/profile": { email: "a@example.com" },
      "https://api.openai.com/auth": {
        chatgpt_account_id: "acct",
        user_id: "u1",
        chatgpt_plan_type: "pro",
      },
    });
    expect(readJwtClaims(token)).toEqual({
      expiresAtMs: 4_600_000,
      lifetimeMs: 3_600_000,
      subject: "user-1",
      email: "a@example.com",
      accountId: "acct",
      userId: "u1",
      planType: "pro",
    });
  });

  it("leaves out a claim of the wrong kind and keeps the rest", () => {
    expect(
      readJwtClaims(makeJwt({ exp: "soon", email: 7, sub: "s", "https://api.openai.com/auth": [] })),
    ).toEqual({
      expiresAtMs: undefined,
      lifetimeMs: undefined,
      subject: "s",
      email: undefined,
      accountId: undefined,
      userId: undefined,
      planType: undefined,
    });
  });

  it.each([
    ["an opaque token", "at-opaque"],
    ["two parts", "e30.e30"],
    ["an empty part", "e30..e30"],
    ["padding", "e30=.e30.e30"],
    ["a payload that is not JSON", `e30.${Buffer.from("{").toString("base64url")}.e30`],
    ["a payload that is not an object", `e30.${Buffer.from("[]").toString("base64url")}.e30`],
    ["nothing", ""],
  ])("calls %s no JWT", (_what, token) => {
    expect(readJwtClaims(token)).toBeUndefined();
  });
});
