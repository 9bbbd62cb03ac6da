import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { oauthCredential } from "./oauth-credential.ts";
import { storeKey } from "./store-key.ts";

const stored = {
  server_name: "mock",
  server_url: "http://127.0.0.1:1/mcp",
  issuer: "http://127.0.0.1:2",
  client_id: "c",
  access_token: "at-secret",
  expires_at: 1_000_000,
  refresh_token: "rt-secret",
  scopes: ["a", "b"],
};

describe(storeKey, () => {
  it("hashes the members in the order that files of other programs use", () => {
    expect(storeKey("mock", "http://127.0.0.1:18931/mcp")).toBe("mock|bc2f82879bb8b25d");
  });
});

describe("oauthCredential", () => {
  const credential = oauthCredential.parse(stored);
  const need = (leftMs: number, age: { receivedAtMs?: number; lifetimeMs?: number } = {}) =>
    oauthCredential.needsRefresh(credential, { nowMs: 1_000_000 - leftMs, ...age });

  it("writes back what it read, unknown members and a member named __proto__ included", () => {
    const foreign = JSON.parse('{"__proto__":{"polluted":true},"executor_owned":true}');
    const entry = oauthCredential.serialize(credential, { ...stored, ...foreign, ["__proto__"]: 1 });
    expect(oauthCredential.parse(entry)).toEqual(credential);
    expect(Object.keys(entry as object)).toEqual(
      expect.arrayContaining([...Object.keys(stored), "executor_owned"]),
    );
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([
    [301_000, "no"],
    [300_000, "soon"],
    [30_001, "soon"],
    [30_000, "first"],
    [1, "first"],
    [0, "now"],
  ])("with %i ms left says %s", (leftMs, expected) => expect(need(leftMs)).toBe(expected));

  it("halves a window that is as long as the life", proves("oauth-store/lifetimes"), () => {
    const age = { receivedAtMs: 970_000, lifetimeMs: 30_000 };
    expect(need(15_001, age)).toBe("no");
    expect(need(15_000, age)).toBe("first");
  });

  it(
    "measures life from receipt, not from a time another clock wrote",
    proves("oauth-store/lifetimes"),
    () => {
      const age = { receivedAtMs: 5_000_000, lifetimeMs: 3_600_000 };
      expect(oauthCredential.needsRefresh(credential, { nowMs: 5_000_001, ...age })).toBe("no");
    },
  );

  it.each([
    [
      { access_token: "x", refresh_token: "r", expires_in: 60 },
      { outcome: "usable", lifetimeMs: 60_000 },
    ],
    [
      { access_token: "x", expires_in: "60" },
      { outcome: "usable", lifetimeMs: 60_000 },
    ],
    [{ access_token: "x" }, { outcome: "usable", lifetimeMs: undefined }],
    [
      { access_token: "x", refresh_token: "r", expires_in: Number.POSITIVE_INFINITY },
      { outcome: "refresh-token-only", code: "lifetime" },
    ],
    [
      { access_token: "x", refresh_token: "r", token_type: "N_A" },
      { outcome: "refresh-token-only", code: "token-type" },
    ],
    [{ refresh_token: "r" }, { outcome: "refresh-token-only", code: "no-access-token" }],
    [{}, { outcome: "unusable", code: "no-access-token" }],
    [[], { outcome: "unusable", code: "no-access-token" }],
  ])("makes of %j %j", (answer, verdict) =>
    expect(oauthCredential.validate(credential, answer)).toEqual(verdict),
  );

  it(
    "carries an omitted refresh token and omitted scopes over, and forgets an omitted lifetime",
    proves("oauth-store/lifetimes"),
    () => {
      const merged = oauthCredential.merge(
        credential,
        { access_token: "new" },
        { receivedAtMs: 5, expired: false },
      );
      expect(merged).toEqual({ ...credential, accessToken: "new", expiresAtMs: undefined });
    },
  );

  it("shows no secret in its view", () => {
    const view = oauthCredential.view(credential);
    expect(view.accessToken).toBe("at-secret");
    expect(inspect(view, { showHidden: true, depth: 9 }) + JSON.stringify(view)).not.toContain("at-secret");
  });
});
