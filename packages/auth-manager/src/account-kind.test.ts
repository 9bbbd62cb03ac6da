import type { JsonValue } from "@hawser/oauth-store";
import { makeJwt, proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import { accountKind } from "./account-kind.ts";

const kind = accountKind({ issuer: "https://auth.example.com", clientId: "app" });
const idToken = (accountId = "acct", userId = "user", sub = "sub") =>
  makeJwt({ sub, "https://api.openai.com/auth": { chatgpt_account_id: accountId, chatgpt_user_id: userId } });
const login = (id = idToken(), clientId = "app") =>
  AccountCredential.fromLogin(
    { idToken: id, accessToken: "at-old", refreshToken: "rt-old" },
    { provenance: { issuer: "https://auth.example.com", clientId }, ownerId: "o", receivedAtMs: 1 },
  );

describe("validate", () => {
  const table: [what: string, answer: JsonValue, verdict: object][] = [
    [
      "all three tokens",
      { access_token: "a", refresh_token: "r", id_token: idToken() },
      { outcome: "usable" },
    ],
    ["an access token alone", { access_token: "a" }, { outcome: "usable" }],
    ["nothing", {}, { outcome: "unusable" }],
    ["no object", [1], { outcome: "unusable" }],
    [
      "an empty access token",
      { access_token: "", refresh_token: "r" },
      { outcome: "refresh-token-only", code: "access_token_missing" },
    ],
    [
      "another token type",
      { access_token: "a", refresh_token: "r", token_type: "DPoP" },
      { outcome: "refresh-token-only" },
    ],
    [
      "another token type and no refresh token",
      { access_token: "a", token_type: "N_A" },
      { outcome: "unusable" },
    ],
    ["a bearer in capitals", { access_token: "a", token_type: "BEARER" }, { outcome: "usable" }],
    [
      "seconds in quotes",
      { access_token: "a", expires_in: "3600" },
      { outcome: "usable", lifetimeMs: 3_600_000 },
    ],
    [
      "an endless lifetime",
      { access_token: "a", refresh_token: "r", expires_in: Number.POSITIVE_INFINITY },
      { outcome: "refresh-token-only", code: "expires_in" },
    ],
    [
      "a lifetime of nothing",
      { access_token: "a", refresh_token: "r", expires_in: 0 },
      { outcome: "refresh-token-only" },
    ],
    [
      "another account",
      { access_token: "a", refresh_token: "r", id_token: idToken("other") },
      { outcome: "wrong-account" },
    ],
    [
      "another user of the account",
      { access_token: "a", id_token: idToken("acct", "someone") },
      { outcome: "wrong-account" },
    ],
    [
      "another subject",
      { access_token: "a", id_token: idToken("acct", "user", "else") },
      { outcome: "wrong-account" },
    ],
    [
      "another account in the access token",
      { access_token: idToken("other"), refresh_token: "r" },
      { outcome: "wrong-account" },
    ],
    ["an id token that cannot be read", { access_token: "a", id_token: "x" }, { outcome: "usable" }],
  ];
  it.each(table)("%s", proves("auth-manager/answers-checked"), (_what, answer, verdict) => {
    expect(kind.validate(login(), answer)).toMatchObject(verdict);
  });

  it("measures a token's life by its own times, so that a wrong clock does not matter", () => {
    const access = makeJwt({ iat: 1000, exp: 1900 });
    expect(kind.validate(login(), { access_token: access })).toEqual({
      outcome: "usable",
      lifetimeMs: 900_000,
    });
  });
});

describe("merge", () => {
  it("installs what came and keeps what did not", () => {
    const merged = kind.merge(login(), { access_token: "at-new" }, { receivedAtMs: 9, expired: false });
    expect([merged.bearer, merged.refreshToken, merged.accountId]).toEqual(["at-new", "rt-old", "acct"]);
    expect(merged.lastRefreshMs).toBe(9);
  });

  it("keeps the readable id token when the new one cannot be read", () => {
    const merged = kind.merge(
      login(),
      { access_token: "at-new", id_token: "x" },
      { receivedAtMs: 9, expired: false },
    );
    expect(merged.claims?.accountId).toBe("acct");
  });

  it("keeps a good refresh token beside a bad access token, and marks the old access token as run out", () => {
    const answer = { refresh_token: "rt-new", token_type: "N_A", access_token: "at-bad" };
    const merged = kind.merge(login(), answer, { receivedAtMs: 9, expired: true });
    expect([merged.bearer, merged.refreshToken]).toEqual(["at-old", "rt-new"]);
    const reread = kind.parse(kind.serialize(merged));
    expect(kind.needsRefresh(reread, { nowMs: 10 })).toBe("now");
  });
});

describe("sameOwner", () => {
  it("compares issuer, client, account and user", () => {
    expect(kind.sameOwner(login(), login())).toBe(true);
    expect(kind.sameOwner(login(), login(idToken("other")))).toBe(false);
    expect(kind.sameOwner(login(), login(idToken("acct", "other")))).toBe(false);
    expect(kind.sameOwner(login(), login(idToken(), "other-client"))).toBe(false);
  });

  it("does not take two API keys for one owner", () => {
    const key = (text: string) => AccountCredential.fromApiKey(text);
    expect(kind.sameOwner(key("sk-1"), key("sk-2"))).toBe(false);
    expect(kind.sameOwner(key("sk-1"), key("sk-1"))).toBe(true);
    expect(kind.sameOwner(key("sk-1"), login())).toBe(false);
  });

  it("does not take two logins without an account for one owner", () => {
    const nobody = login(makeJwt({ sub: "s" }));
    expect(kind.sameOwner(nobody, nobody)).toBe(false);
  });
});

describe("errorOf", () => {
  const errorOf = (answer: JsonValue, status: number) => kind.errorOf?.(answer, status);
  const isFinal = (code: string | undefined) => kind.finalErrors?.includes(code ?? "") === true;

  it("names what ends a login, and nothing else, as final", () => {
    expect(isFinal(errorOf({ error: { code: "refresh_token_reused" } }, 401))).toBe(true);
    expect(isFinal(errorOf({ error: "invalid_grant" }, 400))).toBe(true);
    expect(isFinal(errorOf({ error: "something_new" }, 401))).toBe(true);
    expect(isFinal(errorOf({ error: "something_new" }, 403))).toBe(false);
    expect(isFinal(errorOf(null, 401))).toBe(false);
    expect(isFinal(errorOf({ error: "slow_down" }, 429))).toBe(false);
  });
});
