import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalUpstream, startLocalUpstream } from "../src/index.ts";
import { keepCookies, trust } from "./keep-cookies.ts";
import { MemoryLogin } from "./memory-login.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream();
  trust(upstream.ca.pem);
});
afterAll(() => upstream[Symbol.asyncDispose]());

/** Logs in as the official client does, with a callback server of its own. */
async function logIn() {
  const code = Promise.withResolvers<URLSearchParams>();
  const callback = createServer((request, response) => {
    code.resolve(new URL(request.url ?? "", "http://x").searchParams);
    response.end("Authentication complete.");
  }).listen(0, "127.0.0.1");
  await once(callback, "listening");
  const login = new MemoryLogin(`http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback/abc`);
  const fetch = keepCookies();
  const transport = () => new StreamableHTTPClientTransport(upstream.mcp.url, { authProvider: login, fetch });
  try {
    const first = transport();
    await expect(new Client({ name: "test", version: "1" }).connect(first)).rejects.toThrow(
      UnauthorizedError,
    );
    const page = await upstream.mcp.approve(String(login.authorizationUrl));
    expect(page).toEqual({ status: 200, body: "Authentication complete." });
    await first.finishAuth(await code.promise);
  } finally {
    callback.close();
    callback.closeAllConnections();
  }
  const tokens = () => {
    if (!login.saved?.refresh_token) throw new Error("no refresh token");
    return { access: login.saved.access_token, refresh: login.saved.refresh_token };
  };
  return { login, fetch, transport, tokens };
}

async function connect(transport: StreamableHTTPClientTransport) {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  return client;
}

const whoami = async (client: Client) => {
  const { content } = await client.callTool({ name: "whoami", arguments: {} });
  const [first] = content;
  return JSON.parse(first?.type === "text" ? first.text : "null") as { replica: string; sessionId: string };
};

function refresh(refreshToken: string, clientId: string) {
  return fetch(new URL("/token", upstream.mcp.issuer), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: clientId,
      resource: upstream.mcp.url.href,
    }),
  });
}

describe("the MCP upstream", () => {
  it("lets the official client discover, register, log in and call tools, all on one replica", async () => {
    const { login, transport } = await logIn();
    expect(login.authorizationUrl?.searchParams.get("resource")).toBe(upstream.mcp.url.href);
    expect(login.authorizationUrl?.searchParams.get("code_challenge_method")).toBe("S256");
    expect(login.saved).toMatchObject({ scope: "mcp:tools", refresh_token: expect.any(String) });

    const client = await connect(transport());
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(["echo", "whoami"]);
    expect(await client.callTool({ name: "echo", arguments: { text: "héllo" } })).toMatchObject({
      content: [{ type: "text", text: "héllo" }],
    });
    const first = await whoami(client);
    expect(await whoami(client)).toEqual(first);
    const served = upstream.seen.filter((one) => one.headers["mcp-session-id"] === first.sessionId);
    expect(served.length).toBeGreaterThan(4);
    expect(new Set(served.map((one) => one.replica))).toEqual(new Set([first.replica]));
    const [credential, ...others] = new Set(served.map((one) => one.credential));
    expect(credential).toMatch(/^access#\d+$/);
    expect(others).toEqual([]);
    await client.close();
  });

  it("answers 401 with the way to its metadata when the bearer is missing or unknown", async () => {
    const bare = await fetch(upstream.mcp.url, { method: "POST", body: "{}" });
    const metadata = new URL("/.well-known/oauth-protected-resource/mcp", upstream.mcp.url).href;
    expect(bare.status).toBe(401);
    expect(bare.headers.get("www-authenticate")).toBe(
      `Bearer resource_metadata="${metadata}", scope="mcp:tools"`,
    );
    const unknown = await fetch(upstream.mcp.url, { headers: { authorization: "Bearer nobody" } });
    expect(unknown.status).toBe(401);
    expect(unknown.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await (await fetch(metadata)).json()).toMatchObject({
      resource: upstream.mcp.url.href,
      authorization_servers: [upstream.mcp.issuer.origin],
    });
  });

  it("answers 404 when the cookie is not kept, for the session is on the other replica", async () => {
    const { tokens } = await logIn();
    const post = (body: object, headers: Record<string, string> = {}) =>
      fetch(upstream.mcp.url, {
        method: "POST",
        headers: {
          authorization: `Bearer ${tokens().access}`,
          accept: "application/json, text/event-stream",
          "content-type": "application/json",
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", ...body }),
      });
    const opened = await post({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    });
    expect(opened.status).toBe(200);
    await opened.text();
    const cookie = opened.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^__cflb=(west|east); Path=\/; Secure; HttpOnly$/);
    const session = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };

    const stray = await post({ method: "notifications/initialized" }, session);
    expect(stray.status).toBe(404);
    const kept = await post(
      { method: "notifications/initialized" },
      { ...session, cookie: cookie.split(";")[0] ?? "" },
    );
    expect(kept.status).toBe(202);
    expect(kept.headers.get("set-cookie")).toBeNull();

    upstream.mcp.dropSessions();
    const dropped = await post({ id: 2, method: "ping" }, { ...session, cookie: cookie.split(";")[0] ?? "" });
    expect(dropped.status).toBe(404);
    expect(await dropped.json()).toMatchObject({ error: { message: "Session not found" } });
  });

  it("rotates refresh tokens, and ends the whole grant when one is spent twice", async () => {
    const { login, tokens } = await logIn();
    const clientId = login.client?.client_id ?? "";
    const first = tokens().refresh;
    const before = upstream.mcp.refreshGrants;
    const rotated = await refresh(first, clientId);
    expect(rotated.status).toBe(200);
    const second = (await rotated.json()) as { access_token: string; refresh_token: string };
    expect(second.refresh_token).not.toBe(first);
    const accepted = async (token: string) =>
      (await fetch(upstream.mcp.url, { headers: { authorization: `Bearer ${token}` } })).status !== 401;
    expect(await accepted(second.access_token)).toBe(true);

    const reused = await refresh(first, clientId);
    expect(reused.status).toBe(400);
    expect(await reused.json()).toMatchObject({ error: "invalid_grant" });
    expect(await accepted(second.access_token)).toBe(false);
    expect((await refresh(second.refresh_token, clientId)).status).toBe(400);
    expect(upstream.mcp.refreshGrants - before).toBe(3);
  });

  it("lets only one of many spend a refresh token", async () => {
    const { login, tokens } = await logIn();
    const clientId = login.client?.client_id ?? "";
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(tokens().refresh, clientId)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array(7).fill(400)]);
  });

  it("destroys access tokens and leaves refresh tokens alive", async () => {
    const { login, tokens } = await logIn();
    expect(await upstream.mcp.destroyAccessTokens()).toBeGreaterThan(0);
    const denied = await fetch(upstream.mcp.url, { headers: { authorization: `Bearer ${tokens().access}` } });
    expect(denied.status).toBe(401);
    expect((await refresh(tokens().refresh, login.client?.client_id ?? "")).status).toBe(200);
  });

  it("misbehaves at the token endpoint as told, and spends only what it says it spends", async () => {
    const { login, tokens } = await logIn();
    const clientId = login.client?.client_id ?? "";
    upstream.mcp.refuseRefresh("invalid_client");
    const refused = await refresh(tokens().refresh, clientId);
    expect([refused.status, await refused.json()]).toEqual([400, { error: "invalid_client" }]);
    upstream.mcp.refuseRefresh(undefined);

    upstream.mcp.failRefresh(503, { times: 1 });
    expect((await refresh(tokens().refresh, clientId)).status).toBe(503);
    upstream.mcp.failRefresh("cut", { times: 1 });
    await expect(refresh(tokens().refresh, clientId)).rejects.toThrow();

    const rotated = (await (await refresh(tokens().refresh, clientId)).json()) as { refresh_token: string };
    upstream.mcp.failRefresh("lose", { times: 1 });
    await expect(refresh(rotated.refresh_token, clientId)).rejects.toThrow();
    expect((await refresh(rotated.refresh_token, clientId)).status).toBe(400);
  });

  it("issues access tokens that live as long as it is told", async () => {
    upstream.mcp.setAccessTokenTtl(7);
    const { login, tokens } = await logIn();
    expect(login.saved?.expires_in).toBe(7);
    upstream.mcp.setAccessTokenTtl(3600);
    const renewed = await refresh(tokens().refresh, login.client?.client_id ?? "");
    expect(await renewed.json()).toMatchObject({ expires_in: 3600 });
  });

  it("holds refreshes before anything is spent", async () => {
    const { login, tokens } = await logIn();
    const clientId = login.client?.client_id ?? "";
    const hold = upstream.mcp.holdRefreshes(1);
    const held = refresh(tokens().refresh, clientId);
    await hold.held;
    expect((await refresh(tokens().refresh, clientId)).status).toBe(200);
    hold.release();
    expect((await held).status).toBe(400);
  });

  it("misbehaves at the MCP endpoint as told, before it looks at the bearer", async () => {
    const post = () => fetch(upstream.mcp.url, { method: "POST", body: "{}" });
    upstream.mcp.failRequests(503, { times: 1 });
    expect((await post()).status).toBe(503);
    upstream.mcp.failRequests("cut", { times: 1 });
    await expect(post()).rejects.toThrow();
    upstream.mcp.failRequests("lose");
    await expect(post()).rejects.toThrow();
    upstream.mcp.failRequests(undefined);
    expect((await post()).status).toBe(401);
  });

  it("holds tool calls before their authorization is looked at", async () => {
    const { transport } = await logIn();
    const client = await connect(transport());
    const hold = upstream.mcp.holdToolCalls(1);
    const call = whoami(client);
    await hold.held;
    const held = upstream.seen.filter((one) => one.rpcMethod === "tools/call" && one.status === undefined);
    expect(held).toHaveLength(1);
    await upstream.mcp.destroyAccessTokens();
    hold.release();
    expect(await call).toMatchObject({ replica: expect.any(String) });
    expect(held.map((one) => one.status)).toEqual([401]);
    await client.close();
  });
});
