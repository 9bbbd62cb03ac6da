import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { type HttpRequest, TransportError } from "@hawser/transport";
import { type ScriptedStep, scriptedTransport } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import { accountRefreshGrant } from "./account-refresh-grant.ts";

const nowMs = Date.parse("2026-11-20T12:00:00Z");
const provenance = { issuer: "https://auth.example.com", clientId: "app" };
const tokenUrl = new URL("https://auth.example.com/oauth/token");

function login(fields: { issuer?: string; accessToken?: string; clientId?: string } = {}): AccountCredential {
  const { issuer = provenance.issuer, clientId = provenance.clientId, accessToken = "at-planted" } = fields;
  return AccountCredential.fromLogin(
    { idToken: "", accessToken, refreshToken: "rt-planted" },
    { provenance: { issuer, clientId }, ownerId: "o", receivedAtMs: 1 },
  );
}

async function grant(
  step: ScriptedStep,
  credential = login(),
  reason: "expiry" | "rejected" | "forced" = "forced",
) {
  const transport = scriptedTransport([step]);
  const identity = () => [["originator", "hawser"] as const, ["user-agent", "hawser/1"] as const];
  const send = accountRefreshGrant({ transport, tokenUrl, provenance, identity, now: () => nowMs });
  const { signal } = new AbortController();
  const answer = await send({ credential, refreshToken: "rt-planted", reason, signal, pins: {} });
  return { answer, seen: transport.seen };
}

const bodyOf = (seen: readonly HttpRequest[]) => JSON.parse(String(seen[0]?.body)) as Record<string, string>;

describe(accountRefreshGrant, () => {
  it(
    "asks in the account's own form, under the process's name",
    proves("auth-manager/refresh-form"),
    async () => {
      const { seen } = await grant({ body: "{}" });
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ method: "POST", url: tokenUrl });
      expect(seen[0]?.headers).toEqual([
        ["content-type", "application/json"],
        ["accept", "*/*"],
        ["originator", "hawser"],
        ["user-agent", "hawser/1"],
      ]);
      expect(seen[0]?.body).toBe(
        '{"client_id":"app","grant_type":"refresh_token","refresh_reason":"forced","refresh_token":"rt-planted"}',
      );
    },
  );

  it.each([
    ["forced", "at-opaque", "forced"],
    ["rejected", "at-opaque", "unauthorized_recovery"],
    ["expiry", "at-opaque", "scheduled"],
    ["expiry", makeJwt({ exp: 9 }), "proactive_expiry"],
  ] as const)("says why: %s", async (reason, accessToken, said) => {
    const { seen } = await grant({ body: "{}" }, login({ accessToken }), reason);
    expect(bodyOf(seen)["refresh_reason"]).toBe(said);
  });

  it("asks as the client the login was issued to", async () => {
    const { seen } = await grant({ body: "{}" }, login({ clientId: "older-app" }));
    expect(bodyOf(seen)["client_id"]).toBe("older-app");
  });

  it(
    "does not show a refresh token to another issuer than its own",
    proves("auth-manager/issuer-pinned"),
    async () => {
      const { answer, seen } = await grant(
        { body: "{}" },
        login({ issuer: "https://elsewhere.example.com" }),
      );
      expect(answer).toEqual({ sent: "no", code: "issuer_mismatch" });
      expect(seen).toEqual([]);
    },
  );

  it("hands over the raw answer with its status, whatever it says", async () => {
    const headers = [
      ["retry-after", "30"],
      ["x-request-id", "req-1"],
    ] as const;
    const { answer } = await grant({ status: 429, body: "not json", headers });
    expect(answer).toEqual({
      sent: "yes",
      status: 429,
      body: new TextEncoder().encode("not json"),
      retryAtMs: nowMs + 30_000,
      correlationId: "req-1",
    });
  });

  it("passes on no correlation id that could be anything else", async () => {
    const { answer } = await grant({ headers: [["x-request-id", "rt planted \u001b[31m"]] });
    expect(answer).toMatchObject({ sent: "yes", correlationId: undefined });
  });

  it.each([
    ["no", { sent: "no", code: "ERR_TRANSPORT_REFUSED" }],
    ["unknown", { sent: "unknown", code: "ERR_TRANSPORT_REFUSED" }],
    ["yes", { sent: "unknown", code: "ERR_TRANSPORT_REFUSED" }],
  ] as const)("says whether a request that failed had left: %s", async (sent, expected) => {
    const { answer } = await grant(new TransportError("ERR_TRANSPORT_REFUSED", "no", { sent }));
    expect(answer).toEqual(expected);
  });

  it("takes a refused redirect for an answer that spent nothing", async () => {
    const refused = new TransportError("ERR_TRANSPORT_REDIRECT_REFUSED", "no", { sent: "yes" });
    expect((await grant(refused)).answer).toMatchObject({ sent: "yes", status: 307 });
  });

  it("drops the text of a foreign error", async () => {
    const { answer } = await grant(new Error("sent rt-planted to the wrong place"));
    expect(answer).toEqual({ sent: "unknown", code: "transport_failed" });
    expectNoSecret(answer, ["rt-planted"]);
  });

  it("takes a cut answer for one that never came", async () => {
    const body = (async function* () {
      yield new TextEncoder().encode('{"access_token":"at-');
      throw new Error("cut");
    })();
    expect((await grant({ body })).answer).toEqual({ sent: "unknown", code: "answer_incomplete" });
  });
});
