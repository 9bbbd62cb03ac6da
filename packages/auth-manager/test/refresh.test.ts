import { readFile } from "node:fs/promises";
import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccountHandle } from "../src/index.ts";
import { openAccount } from "./open-account.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream({ quiet: true });
});
afterAll(() => upstream[Symbol.asyncDispose]());
afterEach(() => {
  upstream.account.refuseRefresh(undefined);
  upstream.account.failRefresh(undefined);
  upstream.account.setAccessTokenTtl(3600);
});

const present = (handle: AccountHandle | undefined): AccountHandle => {
  if (handle === undefined) throw new Error("nobody is logged in");
  return handle;
};

describe("a refresh", () => {
  it(
    "is sent once for 50 requests that were rejected together",
    proves("auth-manager/one-refresh"),
    async () => {
      await using account = await openAccount(upstream);
      const { accessToken } = await account.seed();
      const rejected = present(await account.manager.auth());
      expect(rejected.accessToken).toBe(accessToken);

      const recovered = await Promise.all(
        Array.from({ length: 50 }, () => account.manager.recover(rejected)),
      );

      expect(account.refreshes()).toBe(1);
      expect(new Set(recovered.map((one) => one.accessToken)).size).toBe(1);
      expect(recovered[0]?.accessToken).not.toBe(accessToken);
      expect(recovered[0]?.lineage).toBe(rejected.lineage);
      expect(recovered[0]?.headers()).toEqual([
        ["authorization", `Bearer ${recovered[0]?.accessToken}`],
        ["chatgpt-account-id", upstream.account.profile.accountId],
      ]);
    },
  );

  it("is sent once for two processes that share the home", async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    const other = account.another();
    const managers = [account.manager, other, account.manager, other];
    const rejected = await Promise.all(managers.map((one) => one.auth()));

    const recovered = await Promise.all(managers.map((one, at) => one.recover(present(rejected[at]))));

    expect(account.refreshes()).toBe(1);
    expect(new Set(recovered.map((one) => one.accessToken)).size).toBe(1);
  });

  it("is not sent for a late 401: the newer token is taken", proves("auth-manager/late-401"), async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    const rejected = present(await account.manager.auth());
    const fresh = await account.manager.recover(rejected);
    expect((await account.manager.recover(rejected)).accessToken).toBe(fresh.accessToken);
    expect(account.refreshes()).toBe(1);
  });

  it("asked for by 8 callers is one, and says that it was asked for", async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    const handles = await Promise.all(Array.from({ length: 8 }, () => account.manager.refresh()));

    expect(account.refreshes()).toBe(1);
    expect(new Set(handles.map((one) => one?.accessToken)).size).toBe(1);
    const post = upstream.seen.findLast((one) => one.grant === "refresh_token");
    expect(post?.headers).toMatchObject({ originator: "hawser_test", "user-agent": "hawser_test/1" });
    expect(post?.bodyJson).toMatchObject({ client_id: "app_local", refresh_reason: "forced" });
  });

  it("keeps the fields of auth.json that it does not know", async () => {
    await using account = await openAccount(upstream);
    await account.seed({ agent_identity: { kept: true } });
    await account.manager.refresh();
    const saved = JSON.parse(await readFile(account.home.file("auth.json"), "utf8"));
    const handle = present(await account.manager.auth());
    expect(saved).toMatchObject({
      agent_identity: { kept: true },
      tokens: { access_token: handle.accessToken },
    });
  });

  it(
    "happens in the background while the token is still good",
    proves("auth-manager/background"),
    async () => {
      await using account = await openAccount(upstream);
      // 5 of its 15 minutes left: inside the window of ten.
      const nowS = Math.floor(Date.now() / 1000);
      const accessToken = makeJwt({ iat: nowS - 600, exp: nowS + 300 });
      const { refreshToken, idToken } = upstream.account.issueTokens();
      await account.seed({
        tokens: { id_token: idToken, access_token: accessToken, refresh_token: refreshToken },
      });
      const hold = upstream.account.holdRefreshes(1);

      const before = await account.manager.auth();
      await hold.held;
      expect(before?.accessToken).toBe(accessToken);
      expect((await account.manager.auth())?.accessToken).toBe(accessToken);
      hold.release();
      await account.manager.settle();

      expect((await account.manager.auth())?.accessToken).not.toBe(accessToken);
      expect(account.refreshes()).toBe(1);
      expect(account.events).toMatchObject([{ type: "refreshed" }]);
      const post = upstream.seen.findLast((one) => one.grant === "refresh_token");
      expect(post?.bodyJson).toMatchObject({ refresh_reason: "proactive_expiry" });
    },
  );
});

describe("a refused refresh", () => {
  it.each([
    ["refresh_token_reused", "reused"],
    ["refresh_token_expired", "expired"],
    ["refresh_token_invalidated", "revoked"],
    ["invalid_grant", "other"],
  ])(
    "(%s) is asked once, whoever asks again: the method stays, the token is null",
    proves("auth-manager/refused-once"),
    async (code, reason) => {
      await using account = await openAccount(upstream);
      const { accessToken, refreshToken } = await account.seed();
      const file = await readFile(account.home.file("auth.json"), "utf8");
      upstream.account.refuseRefresh(code);

      const statuses = [
        await account.manager.status({ refresh: true }),
        await account.manager.status({ refresh: true }),
        await account.manager.status(),
        await account.another().status({ refresh: true }),
      ];

      expect(account.refreshes()).toBe(1);
      for (const status of statuses) {
        expect([status.method, status.token]).toEqual(["chatgpt", null]);
        expect(status.failure).toMatchObject({ code: "ERR_AUTH_MANAGER_REFUSED", permanent: true, reason });
        expect(status.email).toBe(upstream.account.profile.email);
        expectNoSecret(status, [accessToken, refreshToken]);
      }
      expect(await readFile(account.home.file("auth.json"), "utf8")).toBe(file);
      expect(account.events.filter((event) => event.type === "refused")).toHaveLength(1);
    },
  );

  it("says why, to whoever recovers, without a secret", proves("auth-manager/no-secret"), async () => {
    await using account = await openAccount(upstream);
    const { accessToken, refreshToken, idToken } = await account.seed();
    upstream.account.refuseRefresh("refresh_token_reused");
    const rejected = present(await account.manager.auth());

    const error: unknown = await account.manager.recover(rejected).catch((caught: unknown) => caught);

    expect(error).toMatchObject({ code: "ERR_AUTH_MANAGER_REFUSED", reason: "reused", retry: "never" });
    expectNoSecret([error, rejected, account.manager, account.events], [accessToken, refreshToken, idToken]);
    expectNoSecret(await account.manager.explain(), [accessToken, refreshToken, idToken]);
  });

  it("is forgotten by a new login", async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    upstream.account.refuseRefresh("refresh_token_reused");
    await account.manager.status({ refresh: true });
    upstream.account.refuseRefresh(undefined);
    await account.manager.loginWithApiKey("sk-local-again");
    const status = await account.manager.status();
    expect([status.method, status.token, status.failure]).toEqual(["apikey", "sk-local-again", undefined]);
  });
});

describe("an answer for another account", () => {
  it(
    "is not installed, and nothing more is sent until somebody logs in",
    proves("auth-manager/wrong-account"),
    async () => {
      await using account = await openAccount(upstream);
      await account.seed();
      const file = await readFile(account.home.file("auth.json"), "utf8");
      const { profile } = upstream.account;
      const { accountId } = profile;
      profile.accountId = "acct-somebody-else";
      try {
        for (let times = 0; times < 2; times += 1) {
          const status = await account.manager.status({ refresh: true });
          expect([status.method, status.token, status.accountId]).toEqual(["chatgpt", null, accountId]);
          expect(status.failure).toMatchObject({ code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT", permanent: true });
        }
        expect(account.refreshes()).toBe(1);
        expect(await readFile(account.home.file("auth.json"), "utf8")).toBe(file);
      } finally {
        profile.accountId = accountId;
      }
    },
  );
});

describe("a refresh that fails for now", () => {
  it.each([500, 429, 403, "cut"] as const)(
    "(%s) leaves the old token in use and the login as it is",
    proves("auth-manager/transient"),
    async (fault) => {
      await using account = await openAccount(upstream);
      const { accessToken } = await account.seed();
      upstream.account.failRefresh(fault);

      for (const status of [
        await account.manager.status({ refresh: true }),
        await account.manager.status({ refresh: true }),
      ]) {
        expect([status.method, status.token]).toEqual(["chatgpt", accessToken]);
        expect(status.failure).toMatchObject({ code: "ERR_AUTH_MANAGER_TRANSIENT", permanent: false });
      }
      expect((await account.manager.auth())?.accessToken).toBe(accessToken);
      // The second ask came before its time and sent nothing.
      expect(account.refreshes()).toBe(1);
    },
  );
});

describe("a status", () => {
  it(
    "waits for nobody and sends nothing unless it is asked to",
    proves("auth-manager/status-is-quiet"),
    async () => {
      await using account = await openAccount(upstream);
      const { accessToken } = await account.seed();
      const hold = upstream.account.holdRefreshes(1);
      const refreshing = account.manager.refresh();
      await hold.held;

      // A refresh holds the lock this very moment.
      const statuses = await Promise.all(Array.from({ length: 20 }, () => account.another().status()));
      expect(statuses.map((status) => status.token)).toEqual(Array.from({ length: 20 }, () => accessToken));
      hold.release();
      await refreshing;
      expect(account.refreshes()).toBe(1);
    },
  );

  it("sends nothing for an API key and for nobody, asked or not", async () => {
    await using account = await openAccount(upstream);
    const nobody = await account.manager.status({ refresh: true });
    expect([nobody.method, nobody.token, nobody.failure]).toEqual([null, null, undefined]);
    await account.manager.loginWithApiKey("sk-local-1");
    const status = await account.manager.status({ refresh: true });
    expect([status.method, status.token]).toEqual(["apikey", "sk-local-1"]);
    expect(account.refreshes()).toBe(0);
  });

  it("says that a file holds a login of another kind, and that a file cannot be read", async () => {
    await using account = await openAccount(upstream);
    await account.home.write("auth.json", '{"auth_mode":"agentIdentity","agent_identity":{}}');
    expect(await account.manager.status()).toMatchObject({
      method: null,
      failure: { code: "ERR_AUTH_MANAGER_UNSUPPORTED_MODE" },
    });
    await expect(account.manager.auth()).rejects.toMatchObject({ code: "ERR_AUTH_MANAGER_UNSUPPORTED_MODE" });
    await account.home.write("auth.json", '{"tokens":');
    expect(await account.another().status()).toMatchObject({
      method: null,
      failure: { code: "ERR_AUTH_MANAGER_STORE" },
    });
  });
});
