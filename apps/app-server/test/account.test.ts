import { startLocalUpstream } from "@hawser/local-upstream";
import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { AppClient } from "./app-client.ts";
import { startAppServer } from "./start-app-server.ts";

const status = (client: AppClient, params: object = {}) =>
  client.request("getAuthStatus", { includeToken: true, ...params });
const account = async (client: AppClient) => (await client.request("account/read", {}))["account"];

describe("logins", () => {
  it(
    "by key, browser and device are seen alike by both questions, and told to all after the reply",
    proves("app-server/one-status", "app-server/reply-before-news"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream });
      const client = await server.connect("client_a");
      const other = await server.connect("other");
      expect(await status(client)).toMatchObject({
        authMethod: null,
        authToken: null,
        requiresOpenaiAuth: true,
      });
      expect(await account(client)).toBeNull();

      const key = { type: "apiKey", apiKey: "sk-planted-key" };
      expect(await client.request("account/login/start", key)).toEqual({ type: "apiKey" });
      await other.notified("account/updated", ({ authMode }) => authMode === "apikey");
      expect(client.order.slice(-3)).toEqual([
        "reply account/login/start",
        "account/login/completed",
        "account/updated",
      ]);
      expect(await status(client, { refreshToken: true })).toMatchObject({
        authMethod: "apikey",
        authToken: "sk-planted-key",
      });
      expect(await status(client, { includeToken: false })).toMatchObject({ authToken: null });
      expect(await account(client)).toEqual({ type: "apiKey" });

      const login = await client.request<{ authUrl: string; loginId: string }>("account/login/start", {
        type: "chatgpt",
      });
      expect(new URL(login.authUrl).searchParams.get("originator")).toBe("client_a");
      expect((await upstream.account.approve(login.authUrl)).status).toBeLessThan(400);
      await other.notified("account/login/completed", ({ loginId }) => loginId === login.loginId);
      await other.notified("account/updated", ({ authMode }) => authMode === "chatgpt");
      expect(await status(client)).toMatchObject({ authMethod: "chatgpt", authToken: expect.any(String) });
      expect(await account(client)).toMatchObject({ type: "chatgpt", email: upstream.account.profile.email });

      const device = await client.request<{ userCode: string; loginId: string }>("account/login/start", {
        type: "chatgptDeviceCode",
      });
      upstream.account.approveDevice(device.userCode);
      const { params } = await client.notified(
        "account/login/completed",
        ({ loginId }) => loginId === device.loginId,
      );
      expect(params).toMatchObject({ success: true, error: null });

      expect(await client.request("account/logout")).toEqual({});
      await other.notified("account/updated", ({ authMode }) => authMode === null);
      expect(await status(client)).toMatchObject({ authMethod: null, authToken: null });
      expect(await account(client)).toBeNull();
    },
  );

  it("can be cancelled, and are cancelled by the next", async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    const begin = () => client.request<{ loginId: string }>("account/login/start", { type: "chatgpt" });
    const ended = async (id: string) =>
      (await client.notified("account/login/completed", ({ loginId }) => loginId === id)).params;

    const first = await begin();
    const second = await begin();
    expect(await ended(first.loginId)).toMatchObject({
      success: false,
      error: "Login server error: Login cancelled",
    });
    const { loginId } = second;
    expect(await client.request("account/login/cancel", { loginId })).toEqual({ status: "canceled" });
    expect(await ended(loginId)).toMatchObject({
      success: false,
      error: "Login server error: Login was not completed",
    });
    expect(await client.request("account/login/cancel", { loginId })).toEqual({ status: "notFound" });
    await expect(client.request("account/login/cancel", { loginId: "x" })).rejects.toMatchObject({
      message: "invalid login id: x",
    });
  });
});

describe("a refused refresh", () => {
  it("is sent once and answered alike for ever", proves("app-server/refused-refresh-once"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("first_client", "9.9");
    const login = await client.request<{ authUrl: string }>("account/login/start", { type: "chatgpt" });
    await upstream.account.approve(login.authUrl);
    await client.notified("account/updated", ({ authMode }) => authMode === "chatgpt");
    upstream.account.refuseRefresh("refresh_token_reused");

    const answers = await Promise.all([1, 2, 3].map(() => status(client, { refreshToken: true })));
    answers.push(await status(client, { refreshToken: true }));

    for (const answer of answers) {
      expect(answer).toMatchObject({
        authMethod: "chatgpt",
        authToken: null,
        refreshFailure: { permanent: true, code: "ERR_AUTH_MANAGER_REFUSED" },
      });
    }
    expect(await client.request("account/read", {})).toMatchObject({
      account: { type: "chatgpt" },
      refreshFailure: { permanent: true },
    });
    expect(upstream.account.refreshGrants).toBe(1);
    const refresh = upstream.seen.find(
      ({ server: at, grant }) => at === "account" && grant === "refresh_token",
    );
    // Shared work is the process's, not the asking client's.
    expect(refresh?.headers["originator"]).toBe("hawser");
    expect(refresh?.headers["user-agent"]).not.toContain("first_client");
  });
});

describe("tokens that a client keeps fresh", () => {
  it("are asked of that client alone", proves("app-server/external-owner-asked"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const rival = await server.connect("rival");
    const owner = await server.connect("owner", "1", { experimentalApi: true });
    const { accessToken } = upstream.account.issueTokens();
    const handedIn = {
      type: "chatgptAuthTokens",
      accessToken: makeJwt({ email: "a@b.c" }),
      chatgptAccountId: "acct-1",
    };
    owner.onRequest = () => ({ accessToken, chatgptAccountId: "acct-1", chatgptPlanType: null });

    await expect(rival.request("account/login/start", handedIn)).rejects.toMatchObject({
      message: "account/login/start.chatgptAuthTokens requires experimentalApi capability",
    });
    await owner.request("account/login/start", handedIn);
    await expect(
      rival.request("account/login/start", { type: "apiKey", apiKey: "sk-x" }),
    ).rejects.toMatchObject({
      message: expect.stringContaining("External auth is active."),
    });
    const { thread } = await rival.request<{ thread: { id: string } }>("thread/start", {});
    await rival.request("turn/start", { threadId: thread.id, input: [{ type: "text", text: "hi" }] });
    const { params } = await rival.notified("turn/completed");

    expect(params["turn"]).toMatchObject({ status: "completed" });
    expect(owner.order.filter((what) => what.startsWith("request "))).toEqual([
      "request account/chatgptAuthTokens/refresh",
    ]);
    expect(rival.order.filter((what) => what.startsWith("request "))).toEqual([]);
    expect(upstream.seen.filter(({ server: at }) => at === "model")).toHaveLength(2);
    const kept = [...(await server.files()).values()].join("\n");
    expect(kept).not.toContain(handedIn.accessToken);
  });
});

describe("secrets", () => {
  it(
    "stay out of logs, errors and files that are not their store",
    proves("app-server/no-secret-out"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream, env: { HAWSER_LOG: "trace" } });
      const client = await server.connect("a");
      const key = "sk-planted-secret-key";
      await client.request("account/login/start", { type: "apiKey", apiKey: key });
      const { thread } = await client.request<{ thread: { id: string } }>("thread/start", {});
      await client.request("turn/start", { threadId: thread.id, input: [{ type: "text", text: "hi" }] });
      const { params } = await client.notified("turn/completed");
      expect(params["turn"]).toMatchObject({ status: "failed", error: { codexErrorInfo: "unauthorized" } });
      const refusals = await Promise.all(
        [
          { type: "apiKey", apiKey: `${key}\n` },
          { type: "nonsense", apiKey: key },
        ].map((login) => client.request("account/login/start", login).catch((error: unknown) => error)),
      );

      expectNoSecret([client.notifications, refusals, server.stderr()], [key]);
      const holders = [...(await server.files())].filter(([, content]) => content.includes(key));
      expect(holders.map(([path]) => path)).toEqual([`${server.home}/auth.json`]);
    },
  );
});
