import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openAccount } from "./open-account.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream({ quiet: true });
});
afterAll(() => upstream[Symbol.asyncDispose]());
afterEach(() => {
  upstream.account.failRevoke(undefined);
});

describe("a login with an API key", () => {
  it("is two fields in a file only its owner reads", async () => {
    await using account = await openAccount(upstream);
    await account.manager.loginWithApiKey("sk-local-1");

    expect(JSON.parse(await readFile(account.home.file("auth.json"), "utf8"))).toEqual({
      auth_mode: "apikey",
      OPENAI_API_KEY: "sk-local-1",
    });
    expect((await stat(account.home.file("auth.json"))).mode & 0o777).toBe(0o600);
    expect((await account.manager.auth())?.headers()).toEqual([["authorization", "Bearer sk-local-1"]]);
    expect(account.events).toEqual([
      { type: "loginCompleted", loginId: null, success: true, method: "apikey" },
    ]);
    expectNoSecret([account.manager, account.events, await account.manager.auth()], ["sk-local-1"]);
  });

  it.each(["", " sk-local", "sk\nlocal", "sk-lökal"])(
    "refuses %j, which no header can carry",
    async (key) => {
      await using account = await openAccount(upstream);
      await expect(account.manager.loginWithApiKey(key)).rejects.toMatchObject({
        code: "ERR_AUTH_MANAGER_API_KEY_INVALID",
      });
    },
  );

  it("has nothing to recover", async () => {
    await using account = await openAccount(upstream);
    await account.manager.loginWithApiKey("sk-local-1");
    const handle = await account.manager.auth();
    if (handle === undefined) throw new Error("nobody is logged in");
    await expect(account.manager.recover(handle)).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_NOT_REFRESHABLE",
    });
  });
});

describe("a login in a browser", () => {
  it(
    "ends with a stored login and a page without a secret in its address",
    proves("auth-manager/browser-login"),
    async () => {
      await using account = await openAccount(upstream);
      const login = await account.manager.startBrowserLogin({ originator: "test client" });
      expect(new URL(login.authUrl).searchParams.get("originator")).toBe("test client");

      const page = await upstream.account.approve(login.authUrl);
      const outcome = await login.completed;

      const { email, planType, accountId } = upstream.account.profile;
      expect(outcome).toEqual({ success: true, planType });
      expect(page).toMatchObject({ status: 200, body: expect.stringContaining("Logged in") });
      const status = await account.manager.status();
      expect([status.method, status.email, status.planType, status.accountId]).toEqual([
        "chatgpt",
        email,
        planType,
        accountId,
      ]);
      const saved = JSON.parse(await readFile(account.home.file("auth.json"), "utf8"));
      expect(saved).toMatchObject({
        auth_mode: "chatgpt",
        OPENAI_API_KEY: null,
        tokens: {
          account_id: accountId,
          oauth_provenance: { issuer: upstream.account.issuer.origin, client_id: "app_local" },
          login_owner_id: expect.stringMatching(/^[\w-]{43}$/),
        },
      });
      expect(account.events).toEqual([
        { type: "loginCompleted", loginId: login.loginId, success: true, method: "chatgpt", planType },
      ]);
      const exchange = upstream.seen.findLast((one) => one.grant === "authorization_code");
      expect(exchange?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
      const { tokens } = saved;
      const secrets = [tokens.id_token, tokens.access_token, tokens.refresh_token];
      expectNoSecret([account.manager, account.events, status, outcome, login, page], secrets);
      await account.manager.refresh();
      expect(account.refreshes()).toBe(1);
    },
  );

  it("fails when the person says no, and shows their server's words as text", async () => {
    await using account = await openAccount(upstream);
    const login = await account.manager.startBrowserLogin();
    const address = new URL(login.authUrl);
    const callback = new URL(address.searchParams.get("redirect_uri") ?? "");
    callback.searchParams.set("state", address.searchParams.get("state") ?? "");
    callback.searchParams.set("error", "access_denied");
    callback.searchParams.set("error_description", "<b>\u001b[31mno\u202e</b>");

    const page = await fetch(callback);

    expect(page.status).toBe(400);
    expect(await page.text()).toContain("&lt;b&gt; [31mno &lt;/b&gt;");
    expect(await login.completed).toEqual({
      success: false,
      code: "ERR_AUTH_MANAGER_LOGIN_DENIED",
      message: 'Sign-in failed: "<b> [31mno </b>"',
    });
    expect((await account.manager.status()).method).toBeNull();
  });

  it(
    "refuses a callback that names another authorization server",
    proves("auth-manager/mix-up"),
    async () => {
      await using account = await openAccount(upstream);
      const exchanges = () => upstream.seen.filter((one) => one.grant === "authorization_code").length;
      const before = exchanges();
      const login = await account.manager.startBrowserLogin();
      const address = new URL(login.authUrl);
      const callback = new URL(address.searchParams.get("redirect_uri") ?? "");
      callback.searchParams.set("state", address.searchParams.get("state") ?? "");
      callback.searchParams.set("code", "stolen");
      callback.searchParams.set("iss", "https://elsewhere.example.com");
      await fetch(callback);
      expect(await login.completed).toMatchObject({ success: false, code: "ERR_AUTH_MANAGER_LOGIN_DENIED" });
      expect(exchanges()).toBe(before);
    },
  );

  it("gives back a login to a workspace that is not allowed", async () => {
    await using account = await openAccount(upstream);
    const login = await account.manager.startBrowserLogin({ allowedWorkspaceIds: ["ws_other"] });
    expect(new URL(login.authUrl).searchParams.get("allowed_workspace_id")).toBe("ws_other");
    await upstream.account.approve(login.authUrl);
    expect(await login.completed).toMatchObject({ success: false, code: "ERR_AUTH_MANAGER_LOGIN_DENIED" });
    expect((await account.manager.status()).method).toBeNull();
    expect(upstream.seen.at(-1)?.path).toBe("/oauth/revoke");
  });

  it("gives its fixed port to the login that takes its place", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, "close");
    await using account = await openAccount(upstream, { callbackPorts: [port] });

    const first = await account.manager.startBrowserLogin();
    const second = await account.manager.startBrowserLogin();

    expect(await first.completed).toMatchObject({
      success: false,
      code: "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED",
    });
    await upstream.account.approve(second.authUrl);
    expect(await second.completed).toMatchObject({ success: true });
    const ends = account.events.filter((event) => event.type === "loginCompleted");
    expect(ends.map((event) => event.success)).toEqual([false, true]);
  });

  it("can be cancelled, once", async () => {
    await using account = await openAccount(upstream);
    const login = await account.manager.startBrowserLogin();
    expect(account.manager.cancelLogin("another")).toBe(false);
    expect(account.manager.cancelLogin(login.loginId)).toBe(true);
    expect(await login.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_CANCELLED" });
    expect(account.manager.cancelLogin(login.loginId)).toBe(false);
  });
});

describe("a login with a device code", () => {
  it("ends with a stored login once the code is typed", proves("auth-manager/device-login"), async () => {
    await using account = await openAccount(upstream);
    const login = await account.manager.startDeviceLogin();
    expect(login.verificationUrl).toBe(new URL("/codex/device", upstream.account.issuer).href);

    upstream.account.approveDevice(login.userCode);

    expect(await login.completed).toMatchObject({ success: true });
    expect((await account.manager.status()).method).toBe("chatgpt");
  });
});

describe("a logout", () => {
  it("removes the login here and has it revoked there", proves("auth-manager/logout"), async () => {
    await using account = await openAccount(upstream);
    const { refreshToken, accessToken } = await account.seed();
    await account.manager.auth();

    const report = await account.manager.logout();

    expect(report).toMatchObject({ removed: true, failures: [], revoked: true });
    expect((await account.manager.status()).method).toBeNull();
    expect(await account.manager.auth()).toBeUndefined();
    await expect(readFile(account.home.file("auth.json"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(upstream.account.isAccepted(accessToken)).toBe(false);
    const revocation = upstream.seen.findLast((one) => one.path === "/oauth/revoke");
    expect(revocation?.headers).toMatchObject({ originator: "hawser_test" });
    expect(revocation?.bodyJson).toEqual({
      token: refreshToken,
      token_type_hint: "refresh_token",
      client_id: "app_local",
    });
    expect(account.events).toEqual([{ type: "loggedOut", elsewhere: false }]);
  });

  it("holds although the server cannot be told", async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    upstream.account.failRevoke(500);
    expect(await account.manager.logout()).toMatchObject({ removed: true, revoked: false });
    expect((await account.manager.status()).method).toBeNull();
  });

  it("wins over a refresh that is under way", proves("auth-manager/logout-wins"), async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    const hold = upstream.account.holdRefreshes(1);
    const refreshing = account.manager.refresh().catch(() => undefined);
    await hold.held;
    const leaving = account.manager.logout();
    hold.release();
    await Promise.all([refreshing, leaving]);
    await account.manager.settle();
    expect((await account.manager.status()).method).toBeNull();
    await expect(readFile(account.home.file("auth.json"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("cancels a login that waits, and is told although nobody was logged in", async () => {
    await using account = await openAccount(upstream);
    const login = await account.manager.startBrowserLogin();
    await account.manager.logout();
    expect(await login.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_CANCELLED" });
    expect(account.events.at(-1)).toEqual({ type: "loggedOut", elsewhere: false });
  });
});

describe("credentials that somebody else keeps fresh", () => {
  const tokens = { accessToken: makeJwt({ jti: "planted-1" }), accountId: "acct-outside", planType: "team" };

  it(
    "come before the stored login, and never reach the disk",
    proves("auth-manager/external-in-memory"),
    async () => {
      await using account = await openAccount(upstream);
      await account.manager.loginWithApiKey("sk-local-1");
      account.manager.useExternalTokens(tokens, async () => tokens);

      const status = await account.manager.status({ refresh: true });
      expect([status.method, status.token, status.planType]).toEqual([
        "chatgptAuthTokens",
        tokens.accessToken,
        "team",
      ]);
      expect(await readFile(account.home.file("auth.json"), "utf8")).not.toContain(tokens.accessToken);
      await expect(account.manager.loginWithApiKey("sk-local-2")).rejects.toMatchObject({
        code: "ERR_AUTH_MANAGER_EXTERNAL_ACTIVE",
      });
      await expect(account.manager.startBrowserLogin()).rejects.toMatchObject({
        code: "ERR_AUTH_MANAGER_EXTERNAL_ACTIVE",
      });
      await account.manager.logout();
      expect((await account.manager.status()).method).toBeNull();
      expectNoSecret([account.manager, account.events, status], [tokens.accessToken, "sk-local-1"]);
    },
  );
});
