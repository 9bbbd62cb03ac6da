import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

function newLogin() {
  return credentialOf(setting.tokens.authority.login(), HOUR);
}

describe(createCredentialSession, () => {
  it(
    "stays logged out of the login whose lock could not be had for a logout, and takes up a later one made elsewhere",
    proves("oauth-store/logout-wins", "oauth-store/lock-kept"),
    async () => {
      const { save, session, home } = setting;
      await save(newLogin());
      // One that has not looked at the store yet does not know whose login it is.
      const mine = session({ locks: hastyLocks() });
      const kept = await takeLock(home);
      await expect(mine.logout()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_LOCK_TIMEOUT" });
      kept.release();
      await expect(mine.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
      });
      const again = newLogin();
      await session().login(again);
      expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "revokes what a logout was called for, though a login made since was saved before that had the lock",
    proves("oauth-store/logout-wins", "oauth-store/login-wins"),
    async () => {
      const { tokens, save, session, stored } = setting;
      const first = credentialOf(tokens.authority.login());
      await save(first);
      const revoked: (string | undefined)[] = [];
      const claimed = gate("claimed");
      const mine = session({
        revoke: async ({ refreshToken }) => void revoked.push(refreshToken),
        faultPoint: claimed.faultPoint,
      });
      const waiting = mine.ensureFresh();
      await claimed.reached;
      const leaving = mine.logout();
      await expect(waiting).rejects.toMatchObject({ reason: "logged-out" });
      const again = newLogin();
      const login = mine.login(again);
      // The refresh has the lock, and saves the login before it judges anything anew.
      claimed.open();
      await login;
      expect(await leaving).toEqual({ removed: true, failures: [], revoked: true });
      expect(revoked).toEqual([first.refreshToken]);
      expect((await stored())?.refreshToken).toBe(again.refreshToken);
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it(
    "does not wait longer than 15 s for a revocation that does not end: the logout is done without it",
    proves("oauth-store/logout-wins", "oauth-store/settles"),
    async () => {
      const { save, session, stored } = setting;
      await save(newLogin());
      const clock = virtualClock();
      const asked = Promise.withResolvers<void>();
      const mine = session({
        clock,
        revoke() {
          asked.resolve();
          return new Promise(() => {});
        },
      });
      let isDone = false;
      const leaving = mine.logout().finally(() => {
        isDone = true;
      });
      await asked.promise;
      expect(await stored()).toBeUndefined();
      await clock.advance(14_999);
      expect(isDone).toBe(false);
      await clock.advance(1);
      expect(await leaving).toEqual({ removed: true, failures: [], revoked: false });
      await mine.settle();
    },
  );
});
