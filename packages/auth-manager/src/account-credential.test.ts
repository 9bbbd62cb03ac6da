import type { JsonValue } from "@hawser/oauth-store";
import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import { AccountView } from "./account-view.ts";

const idToken = makeJwt({
  email: "a@example.com",
  "https://api.openai.com/auth": { chatgpt_account_id: "acct", chatgpt_plan_type: "plus" },
});

function parse(stored: JsonValue): AccountCredential {
  const credential = AccountCredential.parse(stored);
  if (credential === undefined) throw new Error("not parsed");
  return credential;
}

const stored = (more: Record<string, JsonValue> = {}, tokens: Record<string, JsonValue> = {}): JsonValue => ({
  auth_mode: "chatgpt",
  OPENAI_API_KEY: null,
  tokens: {
    id_token: idToken,
    access_token: "at-first",
    refresh_token: "rt-first",
    account_id: "acct",
    ...tokens,
  },
  last_refresh: "2026-11-20T02:50:46.450106278Z",
  ...more,
});

describe(AccountCredential, () => {
  const modes: [what: string, stored: JsonValue, method: string][] = [
    ["a key without a mode", { OPENAI_API_KEY: "sk-1" }, "apikey"],
    [
      "a key beside tokens without a mode",
      { OPENAI_API_KEY: "sk-1", tokens: { access_token: "a" } },
      "apikey",
    ],
    ["tokens without a mode", { tokens: { access_token: "a", refresh_token: "r" } }, "chatgpt"],
    ["a personal access token", { personal_access_token: "at-1" }, "unsupported"],
    ["a mode of tomorrow", { auth_mode: "tomorrow", tokens: { access_token: "a" } }, "unsupported"],
    [
      "tokens that belong in memory only",
      { auth_mode: "chatgptAuthTokens", tokens: { access_token: "a" } },
      "unsupported",
    ],
    ["an empty object", {}, "none"],
    ["a mode without what it needs", { auth_mode: "apikey", OPENAI_API_KEY: "" }, "none"],
    ["an empty last refresh", { tokens: { access_token: "a" }, last_refresh: "" }, "chatgpt"],
    ["an id token that is no JWT", { tokens: { access_token: "a", id_token: "x" } }, "chatgpt"],
  ];
  it.each(modes)("reads %s", (_what, file, method) => {
    expect(parse(file).method).toBe(method);
  });

  it.each([
    [null],
    ["text"],
    [[]],
    [{ tokens: [] }],
    [{ OPENAI_API_KEY: 7 }],
    [{ tokens: { access_token: 7 } }],
  ])("does not read %j", (file) => {
    expect(AccountCredential.parse(file as JsonValue)).toBeUndefined();
  });

  it("writes an API key in exactly two fields", () => {
    expect(JSON.stringify(AccountCredential.fromApiKey("sk-1").toStored())).toBe(
      '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}',
    );
  });

  it("writes a login with its fields in the format's order", () => {
    const login = { idToken, accessToken: "at", refreshToken: "rt" };
    const by = {
      provenance: { issuer: "https://auth.example.com", clientId: "app" },
      ownerId: "owner",
      receivedAtMs: 0,
    };
    expect(JSON.stringify(AccountCredential.fromLogin(login, by).toStored())).toBe(
      JSON.stringify({
        auth_mode: "chatgpt",
        OPENAI_API_KEY: null,
        tokens: {
          id_token: idToken,
          access_token: "at",
          refresh_token: "rt",
          account_id: "acct",
          oauth_provenance: { issuer: "https://auth.example.com", client_id: "app" },
          login_owner_id: "owner",
        },
        last_refresh: "1970-01-01T00:00:00.000Z",
      }),
    );
  });

  it(
    "keeps fields it does not know through a refresh, those called __proto__ among them",
    proves("auth-manager/unknown-fields"),
    () => {
      const file = JSON.parse(
        JSON.stringify(stored({ agent_identity: { a: 1 }, tomorrow: [1] }, { novel: true })).replace(
          '"tomorrow"',
          '"__proto__":{"polluted":true},"tomorrow"',
        ),
      ) as JsonValue;
      const saved = parse(file).refreshed({ accessToken: "at-second" }, 5000).toStored(file);

      expect(saved).toMatchObject({
        agent_identity: { a: 1 },
        tomorrow: [1],
        tokens: { novel: true, access_token: "at-second" },
      });
      expect(Object.keys(saved)).toContain("__proto__");
      expect(Object.getPrototypeOf(saved)).toBe(Object.prototype);
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
      expect(JSON.stringify(saved)).toContain('"__proto__":{"polluted":true}');
    },
  );

  it("takes unknown fields from what is there now, when that has changed", () => {
    const saved = parse(stored({ tomorrow: 1 })).toStored(stored({ tomorrow: 2, added: 3 }));
    expect(saved).toMatchObject({ tomorrow: 2, added: 3 });
  });

  it("gives back a file of an unsupported mode untouched", () => {
    const file = { auth_mode: "tomorrow", x: 1 };
    expect(parse(file).toStored()).toEqual(file);
  });

  it("keeps what a refresh omitted", () => {
    const after = parse(stored()).refreshed({ accessToken: "at-second" }, 5000);
    expect([after.bearer, after.refreshToken, after.accountId]).toEqual(["at-second", "rt-first", "acct"]);
    expect(after.claims?.email).toBe("a@example.com");
  });

  it("shows no secret, and neither does its view", proves("auth-manager/no-secret"), () => {
    const file = stored(
      { OPENAI_API_KEY: "sk-planted-key" },
      { access_token: "at-planted", refresh_token: "rt-planted" },
    );
    const secrets = ["at-planted", "rt-planted", "sk-planted-key", idToken];
    expectNoSecret(parse(file), secrets);
    expectNoSecret(new AccountView(parse(file)), secrets);
  });
});
