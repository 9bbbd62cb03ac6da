import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialKind,
  createCredentialSession,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
} from "../src/index.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, type SessionOptions } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
let revoked: (string | undefined)[];
beforeEach(async () => {
  setting = await homeSetting();
  revoked = [];
});
afterEach(() => setting[Symbol.asyncDispose]());

const revoke: SessionOptions["revoke"] = async ({ refreshToken }) => {
  revoked.push(refreshToken);
};

/** Answers that say `somebody-else` are for another account. */
const kind: CredentialKind<OAuthCredential, OAuthView> = {
  ...oauthCredential,
  validate: (previous, answer) =>
    JSON.stringify(answer).includes("somebody-else")
      ? { outcome: "wrong-account" }
      : oauthCredential.validate(previous, answer),
};
const FOREIGN = { access_token: "somebody-else", refresh_token: "rt-of-somebody-else-0000000" };

describe(createCredentialSession, () => {
  it(
    "revokes the newest refresh token at a logout, not the older one that this process could not save",
    proves("oauth-store/revokes-newest"),
    async () => {
      const { tokens, save, session, path, another } = setting;
      await save(credentialOf(tokens.authority.login()));
      let unblock = async () => {};
      const mine = session({
        clock: virtualClock(),
        revoke,
        faultPoint: async (name) => {
          if (name === "sealed") unblock = await blockStore(path);
        },
      });
      await mine.ensureFresh();
      await unblock();
      const other = another();
      await other.ensureFresh();
      await other.refresh();
      expect(await mine.logout()).toMatchObject({ removed: true, revoked: true });
      expect(revoked).toEqual([...tokens.authority.live.keys()]);
    },
  );

  it(
    "revokes what is stored at a logout, not a login that it could not save before another's came later",
    proves("oauth-store/revokes-newest"),
    async () => {
      const { tokens, save, session, home, another } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const lock = await takeLock(home);
      const mine = session({ locks: hastyLocks(), clock: virtualClock(), revoke });
      await mine.login(credentialOf(tokens.authority.login(), HOUR));
      lock.release();
      const theirs = tokens.authority.login();
      await another().login(credentialOf(theirs, HOUR));
      await mine.logout();
      expect(revoked).toEqual([theirs.refreshToken]);
    },
  );

  it(
    "revokes a login at a logout that was not saved yet, and that nobody's has come after",
    proves("oauth-store/revokes-newest"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const lock = await takeLock(home);
      const mine = session({ locks: hastyLocks(), clock: virtualClock(), revoke });
      const unsaved = tokens.authority.login();
      await mine.login(credentialOf(unsaved, HOUR));
      lock.release();
      await mine.logout();
      expect(revoked).toEqual([unsaved.refreshToken]);
    },
  );

  it.each(["the same session", "another"])(
    "does not revoke, at a logout by %s, what was answered for another account and lies sealed",
    proves("oauth-store/revokes-newest", "oauth-store/no-wrong-owner"),
    async (who) => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push({ json: FOREIGN });
      const mine = session({ kind, revoke });
      await expect(mine.ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_WRONG_OWNER" });
      const leaving = who === "another" ? session({ kind, revoke }) : mine;
      expect(await leaving.logout()).toMatchObject({ removed: true });
      expect(revoked).toEqual([issued.refreshToken]);
    },
  );

  it(
    "is done with a logout 15 s after it asked for the revocation, whether or not the server answers",
    proves("oauth-store/revokes-newest"),
    async () => {
      const { tokens, save, session, stored } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const clock = virtualClock();
      const asked = Promise.withResolvers<void>();
      const mine = session({
        clock,
        revoke: () => {
          asked.resolve();
          return new Promise(() => {});
        },
      });
      const out = mine.logout();
      await asked.promise;
      expect(await stored()).toBeUndefined();
      await clock.advance(14_999);
      expect(clock.timers()).toBe(1);
      await clock.advance(1);
      expect(await out).toEqual({ removed: true, failures: [], revoked: false });
      await mine.settle();
      expect(clock.timers()).toBe(0);
    },
  );
});
