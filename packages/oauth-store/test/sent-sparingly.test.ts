import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { type OAuthCredential, type RefreshGrant, readSpendRecords } from "../src/index.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;

const noWayToSend: RefreshGrant<OAuthCredential> = async () => ({
  sent: "no",
  code: "issuer-mismatch",
  loginNeeded: true,
});
const NEEDED = { code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", reason: "issuer-mismatch" };

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it.each([
    [305, 4],
    [600, 2],
  ])(
    "that is used every second for ten minutes refreshes a token that lives %i s when half of its life or five minutes are left",
    proves("oauth-store/lifetimes"),
    async (expiresInS, sends) => {
      const clock = virtualClock();
      const setting = newSetting({ clock });
      setting.authority.expiresInS = expiresInS;
      await setting.save(credentialOf(setting.authority.login()));
      const mine = setting.session();
      for (let second = 0; second < 600; second += 1) {
        await mine.ensureFresh();
        await mine.settle();
        await clock.advance(1000);
      }
      expect(setting.authority.presented).toHaveLength(sends);
    },
  );

  it(
    "asks for a login, with the grant's reason, when the grant can send neither now nor later, and puts nothing off",
    proves("oauth-store/login-needed"),
    async () => {
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const mine = setting.session({ refreshGrant: noWayToSend });
      for (let more = 0; more < 3; more += 1) {
        await expect(mine.ensureFresh()).rejects.toMatchObject(NEEDED);
      }
      expect((await mine.status()).failure).toBeUndefined();
      expect(setting.events).toEqual([]);
      // However often it is tried, one record keeps the number of the last attempt.
      expect((await mine.explain()).spends).toHaveLength(1);
      // A grant that can send does so at once.
      const able = setting.session();
      expect((await able.ensureFresh()).generation).toBe(1);
      expect((await able.explain()).spends).toMatchObject([{ state: "settled" }]);
    },
  );

  // In its last 30 s it is waited for a better one, and there is none.
  it.each([200_000, 20_000])(
    "serves a token that is valid for %i ms while the grant says that a login is needed",
    proves("oauth-store/login-needed", "oauth-store/valid-is-served"),
    async (leftMs) => {
      const setting = newSetting();
      const issued = setting.authority.login();
      await setting.save(credentialOf(issued, leftMs));
      const mine = setting.session({ refreshGrant: noWayToSend });
      // The second after the background was told so.
      for (let more = 0; more < 2; more += 1) {
        expect((await mine.ensureFresh()).view.accessToken).toBe(issued.accessToken);
        await mine.settle();
      }
      await expect(mine.refresh()).rejects.toMatchObject(NEEDED);
    },
  );
});

describe.each(bothSettings)("a session without a refresh token %s", (_where, newSetting) => {
  it(
    "serves its token to the last second, and asks for a login then",
    proves("oauth-store/valid-is-served", "oauth-store/nothing-to-spend"),
    async () => {
      const clock = virtualClock();
      const setting = newSetting({ clock });
      const { accessToken } = setting.authority.login();
      await setting.save({ ...credentialOf({ accessToken }, 20_000), refreshToken: undefined });
      const mine = setting.session();
      expect((await mine.ensureFresh()).view.accessToken).toBe(accessToken);
      await clock.advance(25_000);
      await expect(mine.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
        reason: "no-refresh-token",
      });
    },
  );
});

describe("a session in a home", () => {
  it(
    "sends nothing when the successor may be longer than what it replaces, and then too long for the file",
    proves("oauth-store/rehearsed"),
    async () => {
      await using setting = await homeSetting();
      const { tokens, save, store, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const used = JSON.stringify(await store.read(KEY)).length + KEY.length + 100;
      await store.update("other|1", () => ({ write: "x".repeat(MAX_FILE_BYTES - used - 500) }));
      await expect(session().ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_NOT_WRITABLE",
        reason: "too-large",
      });
      expect(tokens.authority.presented).toEqual([]);
      expect(await readSpendRecords({ home: home.path, key: KEY })).toEqual([]);
    },
  );
});
