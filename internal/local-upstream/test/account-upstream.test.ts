import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalUpstream, startLocalUpstream } from "../src/index.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream();
});
afterAll(() => upstream[Symbol.asyncDispose]());

interface Tokens {
  id_token: string;
  access_token: string;
  refresh_token: string;
}

const clientId = "app_test";
const postJson = (path: string, body: object) =>
  fetch(new URL(path, upstream.account.issuer), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const postForm = (fields: Record<string, string>) =>
  fetch(upstream.account.tokenUrl, { method: "POST", body: new URLSearchParams(fields) });
const refresh = (refreshToken: string) =>
  postJson("/oauth/token", {
    client_id: clientId,
    grant_type: "refresh_token",
    refresh_reason: "forced",
    refresh_token: refreshToken,
  });
const refusal = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
};
const claims = (jwt: string) => JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString());
const modelStatus = async (bearer: string) => {
  const headers = { authorization: `Bearer ${bearer}` };
  return (await fetch(`${upstream.model.baseUrl}/models`, { headers })).status;
};

/** The browser login, with a callback that answers as a client does: a redirect to its own last page. */
async function logIn(): Promise<Tokens> {
  const verifier = randomBytes(64).toString("base64url");
  const callback = Promise.withResolvers<URLSearchParams>();
  const listener = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    if (url.pathname === "/success") return response.end("Signed in.");
    callback.resolve(url.searchParams);
    return response.writeHead(302, { location: "/success" }).end();
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const redirectUri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/auth/callback`;
  const authorize = new URL("/oauth/authorize", upstream.account.issuer);
  authorize.search = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state: "state-1",
    originator: "test",
  }).toString();
  try {
    expect(await upstream.account.approve(authorize.href)).toEqual({ status: 200, body: "Signed in." });
    const answer = await callback.promise;
    expect(answer.get("state")).toBe("state-1");
    const fields = {
      grant_type: "authorization_code",
      client_id: clientId,
      code: answer.get("code") ?? "",
      redirect_uri: redirectUri,
    };
    const exchanged = await postForm({ ...fields, code_verifier: verifier });
    expect(exchanged.status).toBe(200);
    expect((await postForm({ ...fields, code_verifier: verifier })).status).toBe(400);
    return (await exchanged.json()) as Tokens;
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}

describe("the account upstream", () => {
  it("logs in through the browser and gives tokens with the account's claims", async () => {
    const tokens = await logIn();
    const { profile } = upstream.account;
    expect(claims(tokens.id_token)).toMatchObject({
      email: profile.email,
      "https://api.openai.com/auth": {
        chatgpt_plan_type: profile.planType,
        chatgpt_account_id: profile.accountId,
        chatgpt_user_id: profile.userId,
      },
    });
    expect(claims(tokens.access_token).exp * 1000).toBeGreaterThan(Date.now() + 50 * 60_000);
    expect(await modelStatus(tokens.access_token)).toBe(200);
  });

  it("refuses a code whose verifier is not the one announced", async () => {
    const redirectUri = "http://127.0.0.1:9/auth/callback";
    const authorize = new URL("/oauth/authorize", upstream.account.issuer);
    authorize.search = new URLSearchParams({
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: createHash("sha256").update("right").digest("base64url"),
      code_challenge_method: "S256",
      state: "s",
    }).toString();
    const redirected = await fetch(authorize, { redirect: "manual" });
    const code = new URL(redirected.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const exchanged = await postForm({
      grant_type: "authorization_code",
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: "wrong",
    });
    expect(exchanged.status).toBe(400);
    authorize.searchParams.set("redirect_uri", "https://elsewhere.example/");
    expect((await fetch(authorize, { redirect: "manual" })).status).toBe(400);
  });

  it("gives an API key for an id token, unless told to refuse", async () => {
    const { id_token: subject } = await logIn();
    const fields = {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      client_id: clientId,
      requested_token: "openai-api-key",
      subject_token: subject,
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    };
    const { access_token: key } = (await (await postForm(fields)).json()) as { access_token: string };
    expect(key).toMatch(/^sk-/);
    expect(await modelStatus(key)).toBe(200);
    upstream.account.setApiKeyExchange("refuse");
    expect((await postForm(fields)).status).toBe(400);
    upstream.account.setApiKeyExchange("answer");
  });

  it("rotates one-time refresh tokens and names a reuse", async () => {
    const first = upstream.account.issueTokens();
    const before = upstream.account.refreshGrants;
    const rotated = (await (await refresh(first.refreshToken)).json()) as Tokens;
    expect(rotated.refresh_token).not.toBe(first.refreshToken);
    expect(rotated.access_token).not.toBe(first.accessToken);
    expect(await refusal(await refresh(first.refreshToken))).toEqual([401, "refresh_token_reused"]);
    expect((await refresh(rotated.refresh_token)).status).toBe(200);
    expect(await refusal(await refresh("rt-nobody-knows"))).toEqual([401, "refresh_token_invalidated"]);
    expect(upstream.account.refreshGrants - before).toBe(4);
  });

  it("lets only one of many spend a refresh token", async () => {
    const { refreshToken } = upstream.account.issueTokens();
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refreshToken)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array(7).fill(401)]);
  });

  it("refuses and fails refreshes as told, without spending", async () => {
    const { refreshToken } = upstream.account.issueTokens();
    upstream.account.refuseRefresh("refresh_token_expired");
    expect(await refusal(await refresh(refreshToken))).toEqual([401, "refresh_token_expired"]);
    upstream.account.refuseRefresh("invalid_grant");
    expect(await refusal(await refresh(refreshToken))).toEqual([400, "invalid_grant"]);
    upstream.account.refuseRefresh(undefined);
    upstream.account.failRefresh(500, { times: 1 });
    expect((await refresh(refreshToken)).status).toBe(500);
    const giveUp = new AbortController();
    upstream.account.failRefresh("stall", { times: 1 });
    const arrived = upstream.waitFor((one) => one.grant !== undefined, { from: upstream.seen.length });
    const stalled = fetch(upstream.account.tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ grant_type: "refresh_token", refresh_token: refreshToken }),
      signal: giveUp.signal,
    });
    await arrived;
    giveUp.abort();
    await expect(stalled).rejects.toThrow();
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  it("holds a refresh before anything is spent", async () => {
    const { refreshToken } = upstream.account.issueTokens();
    const hold = upstream.account.holdRefreshes(1);
    const first = refresh(refreshToken);
    await hold.held;
    expect((await refresh(refreshToken)).status).toBe(200);
    hold.release();
    expect(await refusal(await first)).toEqual([401, "refresh_token_reused"]);
  });

  it("ends what was issued: by revocation, and by expiring access tokens", async () => {
    const revoked = upstream.account.issueTokens();
    const expired = upstream.account.issueTokens();
    const token = { token: revoked.refreshToken, token_type_hint: "refresh_token", client_id: clientId };
    expect((await postJson("/oauth/revoke", token)).status).toBe(200);
    expect(await modelStatus(revoked.accessToken)).toBe(401);
    expect(await refusal(await refresh(revoked.refreshToken))).toEqual([401, "refresh_token_invalidated"]);
    expect(await modelStatus(expired.accessToken)).toBe(200);
    upstream.account.expireAccessTokens();
    expect(await modelStatus(expired.accessToken)).toBe(401);
    const renewed = (await (await refresh(expired.refreshToken)).json()) as Tokens;
    expect(await modelStatus(renewed.access_token)).toBe(200);
  });

  it("signs a device in once its code is approved", async () => {
    const started = await postJson("/api/accounts/deviceauth/usercode", { client_id: clientId });
    const device = (await started.json()) as { device_auth_id: string; user_code: string; interval: string };
    expect(device.interval).toBe("1");
    const poll = () =>
      postJson("/api/accounts/deviceauth/token", {
        device_auth_id: device.device_auth_id,
        user_code: device.user_code,
      });
    expect((await poll()).status).toBe(403);
    expect(() => upstream.account.approveDevice("0000-0000")).toThrow("never given out");
    upstream.account.approveDevice(device.user_code);
    const approved = (await (await poll()).json()) as { authorization_code: string; code_verifier: string };
    const exchanged = await postForm({
      grant_type: "authorization_code",
      client_id: clientId,
      code: approved.authorization_code,
      code_verifier: approved.code_verifier,
      redirect_uri: `${upstream.account.issuer.origin}/deviceauth/callback`,
    });
    expect(await modelStatus(((await exchanged.json()) as Tokens).access_token)).toBe(200);
  });

  it("answers for the workspace and its limits to whoever has a valid bearer", async () => {
    const { accessToken } = upstream.account.issueTokens();
    const get = (path: string, bearer: string) =>
      fetch(`${upstream.account.backendUrl}${path}`, { headers: { authorization: `Bearer ${bearer}` } });
    expect((await get("/wham/accounts/check", "nobody")).status).toBe(401);
    expect(await (await get("/wham/accounts/check", accessToken)).json()).toMatchObject({
      account_ordering: [upstream.account.profile.accountId],
    });
    expect(await (await get("/wham/usage", accessToken)).json()).toMatchObject({
      rate_limit: { primary_window: { limit_window_seconds: 18_000 } },
    });
  });
});
