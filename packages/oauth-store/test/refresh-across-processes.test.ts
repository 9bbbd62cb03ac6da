import { readFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OAuthCredential, oauthCredential } from "../src/index.ts";
import { code } from "./support/code.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("two processes", () => {
  it(
    "an idle one keeps to its older token while that is valid, writes nothing over the newer one, and adopts that in the end",
    proves("oauth-store/contending-starts", "oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save, stored } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const [idle, busy] = [setting.another(), setting.another()];
      const a = await idle.ensureFresh();
      let newest = await busy.refresh();
      newest = await busy.refresh();
      expect(await idle.ensureFresh()).toEqual(a);
      expect(a.accessToken).toBe(issued.accessToken);
      await idle.settle();
      expect((await stored())?.accessToken).toBe(newest.accessToken);
      expect(await idle.recover(a)).toEqual(newest);
      await idle.close();
      expect((await stored())?.accessToken).toBe(newest.accessToken);
      expect(tokens.authority.presented).toHaveLength(2);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );

  it(
    "that are both rejected with one generation send once, and both go on with the result",
    proves("oauth-store/one-grant-for-all", "oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const both = [setting.another(), setting.another()];
      const handles = await Promise.all(both.map((one) => one.ensureFresh()));
      const kept = tokens.keepAnswers();
      const recovering = both.map((one, at) => one.recover(handles[at] ?? never()));
      await tokens.server.waitFor(1);
      kept.release();
      const [b, c] = await Promise.all(recovering);
      expect(b).toEqual(c);
      expect(b?.generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "both serve a token that is still valid at once, while one of them refreshes it, and then the new one",
    proves("oauth-store/valid-is-served", "oauth-store/one-grant-for-all"),
    async () => {
      const { tokens, save } = setting;
      const issued = tokens.authority.login();
      // Good for a while, and better refreshed by now.
      await save(credentialOf(issued, 200_000));
      const kept = tokens.keepAnswers();
      const both = [setting.another(), setting.another()];
      for (const one of both) expect((await one.ensureFresh()).accessToken).toBe(issued.accessToken);
      await tokens.server.waitFor(1);
      for (const one of both) expect((await one.ensureFresh()).accessToken).toBe(issued.accessToken);
      kept.release();
      for (const one of both) await one.settle();
      const [b, c] = await Promise.all(both.map((one) => one.ensureFresh()));
      expect(b).toEqual(c);
      expect(b?.generation).toBe(1);
      expect(both.flatMap((one) => one.events.map(({ type }) => type)).sort()).toEqual([
        "adopted",
        "refreshed",
      ]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "after a refusal the store is byte for byte what it was, and no process sends again",
    proves("oauth-store/refused-once"),
    async () => {
      const { tokens, save, path } = setting;
      await save(credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }));
      const before = await readFile(path);
      for (const one of [setting.another(), setting.another()]) {
        for (let more = 0; more < 2; more += 1) {
          await expect(one.ensureFresh()).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_REFUSED",
            reason: "invalid_grant",
          });
        }
      }
      expect(await readFile(path)).toEqual(before);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each([
    ["an answer 500", { status: 500 }, "http-500"],
    ["a closed socket", { lose: "before" as const }, "reset"],
  ])(
    "%s is an ordinary error in both, with a time, and the store is byte for byte what it was",
    proves("oauth-store/transient-is-not-permanent", "oauth-store/back-off-shared"),
    async (_name, trick, reason) => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      tokens.authority.mischief.push(trick);
      const before = await readFile(path);
      for (const one of [setting.another(), setting.another()]) {
        await expect(one.ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_TRANSIENT",
          reason,
        });
        expect(await one.status()).toMatchObject({ state: "usable", failure: { permanent: false, reason } });
        expect((await one.explain()).verdict).toBe("deferred");
      }
      expect(await readFile(path)).toEqual(before);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "a caller that leaves while its answer is awaited leaves the work to its process: the answer is saved, the lock free",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const { tokens, save, stored } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const [first, second] = [setting.another(), setting.another()];
      const call = first.ensureFresh();
      await tokens.server.waitFor(1);
      await call.leave();
      await expect(call).rejects.toMatchObject({ code: "gave up" });
      kept.release();
      expect(await first.told("refreshed")).toMatchObject({ generation: 1 });
      (await takeLock(setting.home)).release();
      const b = await second.ensureFresh();
      expect((await stored())?.accessToken).toBe(b.accessToken);
      expect(b.generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "an answer slower than the limit is given up, the lock is free, the store as it was, and one more attempt made later",
    proves("oauth-store/hold-limits", "oauth-store/back-off-shared"),
    async () => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const before = await readFile(path);
      // Given up before it was decided: the token is still good.
      tokens.authority.mischief.push({ lose: "before" });
      const kept = tokens.keepAnswers();
      const stillSinceMs = Date.now();
      const first = setting.another({ stillSinceMs });
      const call = first.ensureFresh();
      await tokens.server.waitFor(1);
      await first.advance(44_900);
      expect(first.events).toEqual([]);
      await first.advance(100);
      await expect(call).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_TRANSIENT", reason: "reset" });
      (await takeLock(setting.home)).release();
      expect(await readFile(path)).toEqual(before);
      kept.release();
      await expect(setting.another({ stillSinceMs: stillSinceMs + 45_500 }).ensureFresh()).rejects.toEqual(
        code("TRANSIENT"),
      );
      expect(tokens.authority.presented).toHaveLength(1);
      const later = setting.another({ stillSinceMs: stillSinceMs + 60_000 });
      expect((await later.ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "an answer that nobody waits for any more, and that cannot be saved for a while, is saved by its process in the end",
    proves("oauth-store/unsaved-is-kept", "oauth-store/callers-may-leave"),
    async () => {
      const { tokens, save, stored, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const first = setting.another({ arm: ["sealed"] });
      const call = first.ensureFresh();
      await first.child.reached("sealed");
      await call.leave();
      const unblock = await blockStore(path);
      first.child.release("sealed");
      // More than one try of its own fails.
      await first.told("unpersisted", 3);
      await expect(call).rejects.toMatchObject({ code: "gave up" });
      await unblock();
      await first.told("persisted");
      const b = await first.ensureFresh();
      expect((await stored())?.accessToken).toBe(b.accessToken);
      expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(await setting.another().ensureFresh()).toEqual(b);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "a removed credential, and an expired one without a refresh token, ask for a login in both and send nothing",
    proves("oauth-store/nothing-to-spend"),
    async () => {
      const { tokens, save, store } = setting;
      await save(credentialOf({ accessToken: "at-only" }));
      const both = [setting.another(), setting.another()];
      for (const one of both) {
        await expect(one.ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
          reason: "no-refresh-token",
        });
        expect((await one.explain()).verdict).toBe("unspendable");
      }
      await save(credentialOf(tokens.authority.login(), HOUR));
      const handles = await Promise.all(both.map((one) => one.ensureFresh()));
      await store.update(KEY, () => "remove");
      for (const [at, one] of both.entries()) {
        await expect(one.recover(handles[at] ?? never())).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
          reason: "absent",
        });
        expect(one.events).toContainEqual({ type: "loggedOut", elsewhere: true });
      }
      expect(tokens.authority.presented).toEqual([]);
    },
  );
});

describe("a login made by another process", () => {
  it(
    "of the same client is adopted by a running session, without a grant",
    proves("oauth-store/login-elsewhere"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const [running, other] = [setting.another(), setting.another()];
      const a = await running.ensureFresh();
      const again = tokens.authority.login();
      const handle = await other.login(credentialOf(again, HOUR));
      expect(await running.recover(a)).toEqual(handle);
      expect(handle.accessToken).toBe(again.accessToken);
      expect(running.events).toContainEqual({ type: "replaced", sameOwner: true, lineage: handle.lineage });
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it.each<[string, Partial<OAuthCredential>]>([
    ["client", { clientId: "client-2" }],
    ["issuer", { issuer: "https://other.example" }],
  ])(
    "of another %s ends the operation under way as replaced; the next one goes on with it, and nothing is sent",
    proves("oauth-store/no-wrong-owner", "oauth-store/login-elsewhere"),
    async (_name, changed) => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const [running, other] = [setting.another(), setting.another()];
      const a = await running.ensureFresh();
      const handle = await other.login({ ...credentialOf(tokens.authority.login(), HOUR), ...changed });
      await expect(running.recover(a)).rejects.toEqual(code("REPLACED"));
      expect(running.events).toContainEqual({ type: "replaced", sameOwner: false, lineage: handle.lineage });
      expect(await running.ensureFresh()).toEqual(handle);
      // A late rejection of the old one is still not answered with somebody else's.
      await expect(running.recover(a)).rejects.toEqual(code("REPLACED"));
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it.each([
    ["is refreshed here before it is adopted", undefined],
    ["brings a bad answer when it is refreshed here", { access_token: "at-bad", token_type: "N_A" }],
  ])(
    "that has expired by now is told as replaced as well, also when it %s",
    proves("oauth-store/no-wrong-owner", "oauth-store/events"),
    async (_name, answer) => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const [running, other] = [setting.another(), setting.another()];
      const a = await running.ensureFresh();
      const issued = tokens.authority.login("f");
      const { lineage } = await other.login({ ...credentialOf(issued), clientId: "client-2" });
      const { refreshToken } = tokens.authority.login("f");
      if (answer) tokens.authority.mischief.push({ json: { ...answer, refresh_token: refreshToken } });
      await expect(running.recover(a)).rejects.toEqual(code(answer ? "TRANSIENT" : "REPLACED"));
      expect(running.events[0]).toEqual({ type: "replaced", sameOwner: false, lineage });
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
      await expect(running.recover(a)).rejects.toEqual(code(answer ? "TRANSIENT" : "REPLACED"));
    },
  );

  it(
    "of another account is told apart where the kind knows of accounts",
    proves("oauth-store/no-wrong-owner"),
    async () => {
      const { tokens, save, session, events } = setting;
      await save({ ...credentialOf(tokens.authority.login(), HOUR), scopes: ["of-a"] });
      const kind = {
        ...oauthCredential,
        sameOwner: (a: OAuthCredential, b: OAuthCredential) => a.scopes[0] === b.scopes[0],
      };
      const running = session({ kind });
      const a = await running.ensureFresh();
      const other = setting.another();
      const again = await other.login({ ...credentialOf(tokens.authority.login(), HOUR), scopes: ["of-a"] });
      expect((await running.recover(a)).lineage).toBe(again.lineage);
      const somebody = credentialOf(tokens.authority.login(), HOUR);
      const theirs = await other.login({ ...somebody, scopes: ["of-b"] });
      const b = await running.ensureFresh();
      await expect(running.recover(b)).rejects.toEqual(code("REPLACED"));
      expect(events).toContainEqual({ type: "replaced", sameOwner: false, lineage: theirs.lineage });
      expect(tokens.authority.presented).toEqual([]);
    },
  );
});

function never(): never {
  throw new Error("one handle for each process");
}
