import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { type ScriptedStep, scriptedTransport } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { exchangeCode } from "./exchange-code.ts";

const secrets = ["code-planted", "verifier-planted", "at-planted", "rt-planted"];
const whole = { id_token: makeJwt({ sub: "s" }), access_token: "at-planted", refresh_token: "rt-planted" };

async function exchange(step: ScriptedStep) {
  const transport = scriptedTransport([step]);
  const tokens = await exchangeCode({
    transport,
    loginTokenUrl: new URL("https://auth.example.com/oauth/token"),
    clientId: "app",
    code: "code-planted",
    redirectUri: "http://127.0.0.1:1455/auth/callback",
    verifier: "verifier-planted",
  });
  return { tokens, seen: transport.seen };
}

describe(exchangeCode, () => {
  it("posts the code with its verifier as a form", async () => {
    const { tokens, seen } = await exchange({ body: { json: whole } });
    expect(tokens).toEqual({
      idToken: whole.id_token,
      accessToken: "at-planted",
      refreshToken: "rt-planted",
    });
    expect(Object.fromEntries(new URLSearchParams(String(seen[0]?.body)))).toEqual({
      grant_type: "authorization_code",
      code: "code-planted",
      redirect_uri: "http://127.0.0.1:1455/auth/callback",
      client_id: "app",
      code_verifier: "verifier-planted",
    });
  });

  const failures: [what: string, step: ScriptedStep][] = [
    ["no answer", new Error("cannot send code-planted verifier-planted")],
    [
      "a refusal",
      { status: 400, body: { json: { error: "invalid_grant", error_description: "code-planted" } } },
    ],
    ["a page", { status: 502, body: "<html>code-planted" }],
    ["a redirect", { status: 307, headers: [["location", "https://elsewhere.example.com"]] }],
    ["half a login", { body: { json: { access_token: "at-planted", refresh_token: "rt-planted" } } }],
    ["a login whose id token is none", { body: { json: { ...whole, id_token: "rt-planted" } } }],
    ["something else", { body: "[1]" }],
  ];
  it.each(failures)(
    "fails with %s, and shows nothing of it",
    proves("auth-manager/no-secret"),
    async (_what, step) => {
      const error: unknown = await exchange(step).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_FAILED" });
      expectNoSecret(error, secrets);
    },
  );
});
