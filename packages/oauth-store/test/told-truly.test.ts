import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, type Session, type SessionOptions } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A session whose credential's lock somebody keeps while `work` is done. */
async function withoutTheLock(
  work: (session: Session) => Promise<unknown>,
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  const lock = await takeLock(setting.home);
  const mine = setting.session({ locks: hastyLocks(), ...options });
  await work(mine);
  lock.release();
  return mine;
}

async function loggedOutInVain(session: Session): Promise<void> {
  await expect(session.logout()).rejects.toEqual(code("LOCK_TIMEOUT"));
}

describe(createCredentialSession, () => {
  it(
    "tells a refusal of the client by explain() and status() while ensureFresh() does, though another member changed",
    proves("oauth-store/explains", "oauth-store/refused-once"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push({ status: 401, body: '{"error":"invalid_client"}' });
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      await save({ ...credentialOf(issued), scopes: ["changed"] });
      const next = session();
      await expect(next.ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect((await next.explain()).verdict).toBe("refused");
      expect(await next.status()).toMatchObject({
        state: "unusable",
        failure: { code: "ERR_OAUTH_STORE_REFUSED", permanent: true, reason: "invalid_client" },
      });
      // Another client may ask again, and is told of no refusal.
      await save({ ...credentialOf(issued), clientId: "client-2" });
      expect((await next.explain()).verdict).toBe("working");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(["after it had used the login", "and had read nothing before"])(
    "tells of its own logout that could not empty the store, %s",
    proves("oauth-store/explains", "oauth-store/lock-kept"),
    async (when) => {
      await setting.save(credentialOf(setting.tokens.authority.login(), HOUR));
      const mine = await withoutTheLock(async (session) => {
        if (when.startsWith("after")) await session.ensureFresh();
        await loggedOutInVain(session);
      });
      expect((await mine.status()).state).toBe("absent");
      expect((await mine.explain()).verdict).toBe("logged-out");
      // Everybody else still has it.
      expect((await setting.session().explain()).verdict).toBe("working");
    },
  );

  it(
    "tells of a logout as one though a backend of the store could not be emptied, once the login is gone",
    proves("oauth-store/explains"),
    async () => {
      const { tokens, save, session, store } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const failures = [{ store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_LOCKED" }];
      const mine = session({
        store: {
          ...store,
          removeEverywhere: async (key) => {
            await store.update(key, () => "remove");
            return { removed: true, failures };
          },
        },
      });
      await mine.ensureFresh();
      expect(await mine.logout()).toEqual({ removed: true, failures });
      expect((await mine.explain()).verdict).toBe("logged-out");
      expect((await setting.another().explain()).verdict).toBe("logged-out-elsewhere");
    },
  );

  it(
    "tells of a login that could not be saved as such, by status() and explain() alike",
    proves("oauth-store/explains"),
    async () => {
      const credential = credentialOf(setting.tokens.authority.login(), HOUR);
      const mine = await withoutTheLock((session) => session.login(credential), { clock: virtualClock() });
      const failure = { code: "ERR_OAUTH_STORE_NOT_WRITABLE", permanent: false };
      expect(await mine.status()).toMatchObject({ state: "usable", failure });
      expect((await mine.explain()).verdict).toBe("login-unsaved");
      await mine.settle();
      expect((await mine.explain()).verdict).toBe("working");
    },
  );

  it(
    "tells in its status an expired login with nothing to refresh it, and a refused one, as unusable",
    proves("oauth-store/explains", "oauth-store/nothing-to-spend"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf({ accessToken: "at" }));
      expect(await session().status()).toMatchObject({ state: "unusable", expired: true });
      await save(credentialOf(tokens.authority.login()));
      expect(await session().status()).toMatchObject({ state: "usable", expired: true });
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect((await session().status()).state).toBe("unusable");
    },
  );

  it.each([
    ["the same owner's", "client-1", true],
    ["another owner's", "client-2", false],
  ])(
    "tells of a login made elsewhere, %s, after it has told of a logout there",
    proves("oauth-store/events", "oauth-store/login-elsewhere"),
    async (_whose, clientId, sameOwner) => {
      const { tokens, save, session, events, another } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const running = session();
      const before = await running.ensureFresh();
      const other = another();
      await other.logout();
      await expect(running.recover(before)).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      const again = tokens.authority.login();
      await other.login({ ...credentialOf(again, HOUR), clientId });
      const handle = await running.ensureFresh();
      expect(handle.view.accessToken).toBe(again.accessToken);
      const { lineage } = handle;
      expect(events).toEqual([
        { type: "loggedOut", elsewhere: true },
        { type: "replaced", sameOwner, lineage },
      ]);
    },
  );

  it(
    "tells of a logout and a login in the order in which they were called, whichever is done first",
    proves("oauth-store/events"),
    async () => {
      const { tokens, save, session, events } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session();
      await mine.ensureFresh();
      await Promise.all([mine.logout(), mine.login(credentialOf(tokens.authority.login(), HOUR))]);
      await mine.settle();
      expect(events.map(({ type }) => type)).toEqual(["loggedOut", "loggedIn", "persisted"]);
    },
  );
});
