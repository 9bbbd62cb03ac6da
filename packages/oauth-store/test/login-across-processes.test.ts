import { existsSync } from "node:fs";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider, oauthCredential, readSpendRecords } from "../src/index.ts";
import { code } from "./support/code.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";
import type { ToldProcessOptions } from "./support/told-process.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A process whose refresh has been sent and is not answered before `release`. */
async function refreshing(options?: ToldProcessOptions) {
  const kept = setting.tokens.keepAnswers();
  const one = setting.another(options);
  const call = one.ensureFresh();
  await setting.tokens.server.waitFor(1);
  return { one, call, release: kept.release };
}

const live = () => [...setting.tokens.authority.live.keys()];

describe("a login", () => {
  it(
    "by another process is used there at once, waits for the refresh under way, and then stands in the store",
    proves("oauth-store/login-wins", "oauth-store/login-elsewhere"),
    async () => {
      const { tokens, save, stored } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      const { one, call, release } = await refreshing();
      const again = tokens.authority.login();
      const other = setting.another();
      const login = other.login(credentialOf(again, HOUR));
      await other.told("loggedIn");
      expect((await other.ensureFresh()).accessToken).toBe(again.accessToken);
      expect((await stored())?.accessToken).toBe(issued.accessToken);
      release();
      const [b, handle] = await Promise.all([call, login]);
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect(other.events).toContainEqual({ type: "persisted", lineage: handle.lineage, generation: 0 });
      expect(await one.recover(b)).toEqual(handle);
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it(
    "by the process whose refresh is under way answers those who wait, and the refresh writes nothing over it",
    proves("oauth-store/login-wins"),
    async () => {
      const { tokens, save, stored } = setting;
      await save(credentialOf(tokens.authority.login()));
      const { one, call, release } = await refreshing();
      const again = tokens.authority.login();
      const login = one.login(credentialOf(again, HOUR));
      expect((await call).accessToken).toBe(again.accessToken);
      release();
      await login;
      await one.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect((await one.ensureFresh()).accessToken).toBe(again.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(["login", "logout"] as const)(
    "or a logout: a refresh that no lock excluded, finishing after a %s, drops what it got and takes what is there",
    proves("oauth-store/login-wins", "oauth-store/logout-wins"),
    async (what) => {
      const { tokens, save, stored, home, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const { call, release } = await refreshing({ withoutLocks: true });
      const other = setting.another({ withoutLocks: true });
      const again = tokens.authority.login();
      if (what === "login") await other.login(credentialOf(again, HOUR));
      else await other.logout();
      release();
      if (what === "login") expect((await call).accessToken).toBe(again.accessToken);
      else await expect(call).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect((await stored())?.accessToken).toBe(what === "login" ? again.accessToken : undefined);
      expect(existsSync(path)).toBe(what === "login");
      expect(await readSpendRecords({ home: home.path, key: KEY })).toMatchObject([
        { state: "settled", outcomeCode: what === "login" ? "replaced" : "absent" },
      ]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "takes the place of the entry whole: nothing of the one before is merged into it",
    proves("oauth-store/login-wins"),
    async () => {
      const { tokens, store } = setting;
      const before = { ...credentialOf(tokens.authority.login()), scopes: ["a", "b"] };
      const entry = oauthCredential.serialize(before) as Record<string, never>;
      await store.update(KEY, () => ({ write: { ...entry, of_the_old_one: 1 } }));
      const { accessToken } = tokens.authority.login();
      const credential = { ...credentialOf({ accessToken }, HOUR), scopes: [] };
      await setting.another().login(credential);
      expect(await store.read(KEY)).toEqual(oauthCredential.serialize(credential));
    },
  );

  it.each([
    ["a refusal", { status: 400, body: '{"error":"invalid_grant"}' }, "REFUSED"],
    ["a back-off", { status: 503 }, "TRANSIENT"],
  ])(
    "resets %s, also of the very refresh token it brings",
    proves("oauth-store/login-wins"),
    async (_name, trick, end) => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      const credential = credentialOf(issued);
      await save(credential);
      tokens.authority.mischief.push(trick);
      const mine = session();
      for (let more = 0; more < 2; more += 1) {
        await expect(mine.ensureFresh()).rejects.toEqual(code(end));
      }
      await setting.another().login(credential);
      expect((await mine.ensureFresh()).view.accessToken).not.toBe(issued.accessToken);
      expect(tokens.authority.presented).toEqual([issued.refreshToken, issued.refreshToken]);
    },
  );

  it.each(["nothing", "a login", "a logout"])(
    "that could not be saved in time is used, and saved later; %s of another process in between is the later word",
    proves("oauth-store/login-wins", "oauth-store/lock-kept"),
    async (what) => {
      const { tokens, save, stored, session, home, events } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const lock = await takeLock(home);
      // Time stands still: it tries again when it is told to.
      const mine = session({ locks: hastyLocks(), clock: virtualClock() });
      const handle = await mine.login(credentialOf(tokens.authority.login(), HOUR));
      expect(events).toContainEqual({ type: "unpersisted", code: "ERR_OAUTH_STORE_LOCK_TIMEOUT" });
      expect(await mine.ensureFresh()).toBe(handle);
      lock.release();
      const theirs = tokens.authority.login();
      const other = setting.another();
      if (what === "a login") await other.login(credentialOf(theirs, HOUR));
      if (what === "a logout") await other.logout();
      await mine.settle();
      const expected = {
        nothing: handle.view.accessToken,
        "a login": theirs.accessToken,
        "a logout": undefined,
      };
      expect((await stored())?.accessToken).toBe(expected[what as keyof typeof expected]);
      if (what === "a login") {
        expect((await mine.recover(handle)).view.accessToken).toBe(theirs.accessToken);
      } else if (what === "a logout") {
        await expect(mine.recover(handle)).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      }
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it.each(["nothing", "a login", "a login and a logout"])(
    "that was made where nobody could tell what was stored is saved over it; %s of another process in between is the later word",
    proves("oauth-store/login-wins"),
    async (what) => {
      const { tokens, save, stored, session, store } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      let locked = true;
      const reading: typeof store.read = async (key) => {
        if (locked) throw new Error("the keyring is locked");
        return store.read(key);
      };
      const updating: typeof store.update = async (...given) => {
        if (locked) throw new Error("the keyring is locked");
        return store.update(...given);
      };
      const mine = session({
        store: { ...store, read: reading, update: updating },
        clock: virtualClock(),
      });
      const handle = await mine.login(credentialOf(tokens.authority.login(), HOUR));
      const theirs = tokens.authority.login();
      const other = setting.another();
      if (what !== "nothing") await other.login(credentialOf(theirs, HOUR));
      if (what === "a login and a logout") await other.logout();
      locked = false;
      await mine.settle();
      const expected = {
        nothing: handle.view.accessToken,
        "a login": theirs.accessToken,
        "a login and a logout": undefined,
      };
      expect((await stored())?.accessToken).toBe(expected[what as keyof typeof expected]);
      expect(tokens.authority.presented).toEqual([]);
    },
  );
});

describe("a logout", () => {
  it(
    "by another process waits for the refresh under way, empties the store, and revokes what that refresh got",
    proves("oauth-store/logout-wins", "oauth-store/login-elsewhere", "oauth-store/explains"),
    async () => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const { one, call, release } = await refreshing();
      const other = setting.another();
      const leaving = other.logout();
      // Nothing can be had there any more, though the lock is somebody else's.
      await expect(other.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(existsSync(path)).toBe(true);
      release();
      const b = await call;
      expect(await leaving).toEqual({ removed: true, failures: [], revoked: true });
      expect(existsSync(path)).toBe(false);
      expect(other.revoked).toEqual(live());
      expect(other.events).toContainEqual({ type: "loggedOut", elsewhere: false });
      await expect(one.recover(b)).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(one.events).toContainEqual({ type: "loggedOut", elsewhere: true });
      expect((await one.explain()).verdict).toBe("logged-out-elsewhere");
      expect((await other.explain()).verdict).toBe("logged-out");
      expect(existsSync(path)).toBe(false);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "that has the lock first leaves a refresh that waits for it nothing to send",
    proves("oauth-store/logout-wins"),
    async () => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const other = setting.another({ arm: ["locked"] });
      const leaving = other.logout();
      await other.child.reached("locked");
      const locks = flockProvider();
      let waiters = 0;
      const acquire: typeof locks.acquire = (...given) => {
        waiters += 1;
        return locks.acquire(...given);
      };
      const waiting = session({ locks: { ...locks, acquire } }).ensureFresh();
      waiting.catch(() => {});
      await expect.poll(() => waiters).toBe(1);
      other.child.release("locked");
      await expect(waiting).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(await leaving).toMatchObject({ removed: true, failures: [] });
      expect(existsSync(path)).toBe(false);
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it(
    "during a refresh of which some have left acts at once, is not undone by it, and revokes what it got",
    proves("oauth-store/logout-wins"),
    async () => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const { one, call, release } = await refreshing();
      const staying = one.ensureFresh();
      await call.leave();
      const leaving = one.logout();
      await expect(staying).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      await expect(one.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(existsSync(path)).toBe(true);
      release();
      expect(await leaving).toEqual({ removed: true, failures: [], revoked: true });
      await one.settle();
      await expect(one.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(existsSync(path)).toBe(false);
      expect(one.revoked).toEqual(live());
      expect((await one.explain()).verdict).toBe("logged-out");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each([1, 2])(
    "revokes the newest refresh token there is, behind %d answers that a killed process left sealed",
    proves("oauth-store/logout-wins"),
    async (links) => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      if (links === 2) {
        const first = setting.another();
        const b = await first.ensureFresh();
        await first.close();
        expect(b.generation).toBe(1);
      }
      const victim = setting.another({ arm: ["sealed"] });
      victim.refresh();
      await victim.child.reached("sealed");
      await victim.child.kill();
      // The answer of the first refresh stays until that of the second is saved.
      await restore();
      const other = setting.another();
      expect(await other.logout()).toEqual({ removed: true, failures: [], revoked: true });
      expect(other.revoked).toEqual(live());
      expect(tokens.authority.presented).toHaveLength(links);
    },
  );

  it(
    "says when the newest refresh token could not be revoked; it is removed all the same",
    proves("oauth-store/logout-wins"),
    async () => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session({ revoke: () => Promise.reject(new Error("with a secret")) });
      expect(await mine.logout()).toEqual({ removed: true, failures: [], revoked: false });
      expect(existsSync(path)).toBe(false);
      expect(await mine.logout()).toEqual({ removed: false, failures: [] });
    },
  );

  it(
    "that cannot have the lock says so; this process stays logged out, and a later logout empties the store",
    proves("oauth-store/logout-wins", "oauth-store/lock-kept"),
    async () => {
      const { tokens, save, session, home, path } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const lock = await takeLock(home);
      const mine = session({ locks: hastyLocks() });
      await mine.ensureFresh();
      await expect(mine.logout()).rejects.toEqual(code("LOCK_TIMEOUT"));
      expect(existsSync(path)).toBe(true);
      expect((await mine.status()).state).toBe("absent");
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      lock.release();
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(await mine.logout()).toMatchObject({ removed: true, failures: [] });
      expect(existsSync(path)).toBe(false);
    },
  );
});
