import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("outcomes", () => {
    it.each([
      ["no access token", "no-access-token", '"expires_in":60'],
      ["an access token that is no text", "no-access-token", '"access_token":7'],
      ["a blank access token", "no-access-token", '"access_token":" "'],
      ["another token type", "token-type", '"access_token":"at","token_type":"N_A"'],
      ["a lifetime beyond numbers", "lifetime", '"access_token":"at","expires_in":1e999'],
      ["no lifetime left", "lifetime", '"access_token":"at","expires_in":0'],
      ["a lifetime in words", "lifetime", '"access_token":"at","expires_in":"soon"'],
    ])(
      "keeps the refresh token of an answer with %s",
      proves("oauth-store/odd-answers"),
      async (_, reason, body) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        const issued = authority.login("f");
        await setting.save(credentialOf(issued));
        const next = authority.login("f");
        authority.mischief.push({ status: 200, body: `{"refresh_token":"${next.refreshToken}",${body}}` });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason, retry: "after" });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason });
        expect(await setting.stored()).toMatchObject({
          accessToken: issued.accessToken,
          refreshToken: next.refreshToken,
        });
        clock.advance(4000);
        await session().ensureFresh();
        expect(authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it(
      "keeps a good refresh token beside a bad access token, as a failure with back-off",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const issued = setting.authority.login("f");
        await setting.save(credentialOf(issued));
        const next = setting.authority.login("f");
        setting.authority.mischief.push({
          json: { access_token: "at-bad", refresh_token: next.refreshToken, token_type: "N_A" },
        });
        for (let more = 0; more < 2; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({ reason: "token-type" });
        }
        expect(await setting.stored()).toMatchObject({
          refreshToken: next.refreshToken,
          accessToken: issued.accessToken,
        });
        clock.advance(4000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it("the same tokens again are no progress", proves("oauth-store/odd-answers"), async () => {
      const setting = newSetting();
      const { mine, issued } = await signedIn(setting);
      setting.authority.mischief.push({
        json: { access_token: issued.accessToken, refresh_token: issued.refreshToken, expires_in: 60 },
      });
      await expect(mine.recover(await mine.ensureFresh())).rejects.toMatchObject({ reason: "no-progress" });
    });

    it(
      "nor are they when nobody rejected them; a longer life of the same access token is",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        const issued = authority.login();
        const same = { access_token: issued.accessToken, refresh_token: issued.refreshToken };
        await setting.save(credentialOf(issued));
        authority.mischief.push({ json: same }, { json: { ...same, expires_in: 3600 } });
        await expect(session().ensureFresh()).rejects.toMatchObject({
          reason: "no-progress",
          retry: "after",
        });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason: "no-progress" });
        expect(authority.presented).toHaveLength(1);
        clock.advance(4000);
        const b = await session().ensureFresh();
        expect([b.generation, b.view.accessToken]).toEqual([1, issued.accessToken]);
        authority.mischief.push({ json: { ...same, expires_in: 7200 } });
        await expect(session().refresh()).rejects.toMatchObject({ reason: "no-progress" });
        expect(authority.presented).toHaveLength(3);
      },
    );

    it(
      "a server that does not rotate can be asked again and again",
      proves("oauth-store/not-rotating"),
      async () => {
        const setting = newSetting();
        const { mine, issued } = await signedIn(setting);
        for (let round = 1; round <= 3; round += 1) {
          setting.authority.mischief.push({ json: { access_token: `at-round-${round}`, expires_in: 3600 } });
          expect((await mine.refresh()).view.accessToken).toBe(`at-round-${round}`);
        }
        expect((await setting.stored())?.refreshToken).toBe(issued.refreshToken);
        expect((await mine.explain()).spends).toEqual([]);
      },
    );
  });
});

describe("an answer", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  const bad = [
    ["another token type", { access_token: "at-bad", token_type: "N_A" }, "token-type"],
    ["no access token", { token_type: "Bearer" }, "no-access-token"],
    ["a lifetime of -1", { access_token: "at-bad", expires_in: -1 }, "lifetime"],
    ["a lifetime that is no number", { access_token: "at-bad", expires_in: {} }, "lifetime"],
  ] as const;

  it.each(bad)(
    "with %s beside a refresh token: that is kept, the access token marked, and the next attempt put off",
    proves("oauth-store/odd-answers"),
    async (_name, answer, reason) => {
      const { tokens, save, stored, session } = setting;
      const issued = tokens.authority.login("f");
      await save(credentialOf(issued, 20_000));
      const next = tokens.authority.login("f");
      tokens.authority.mischief.push({ json: { ...answer, refresh_token: next.refreshToken } });
      const clock = virtualClock();
      for (let more = 0; more < 2; more += 1) {
        await expect(session({ clock }).refresh()).rejects.toMatchObject({ reason, retry: "after" });
      }
      const now = await stored();
      expect(now).toMatchObject({ refreshToken: next.refreshToken, accessToken: issued.accessToken });
      expect(now?.expiresAtMs).toBeLessThanOrEqual(clock.wallMs());
      await clock.advance(4000);
      expect((await session({ clock }).ensureFresh()).generation).toBe(2);
      expect(tokens.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
    },
  );

  it(
    "is sealed before it is judged: also of one with a bad field the refresh token survives kill -9",
    proves("oauth-store/odd-answers", "oauth-store/crash-loses-nothing"),
    async () => {
      const { tokens, save, stored, session } = setting;
      const issued = tokens.authority.login("f");
      await save(credentialOf(issued));
      const next = tokens.authority.login("f");
      tokens.authority.mischief.push({
        json: { access_token: "at-bad", token_type: "N_A", refresh_token: next.refreshToken },
      });
      const victim = setting.another({ arm: ["sealed"] });
      victim.ensureFresh();
      await victim.child.reached("sealed");
      await victim.child.kill();
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ reason: "token-type" });
      expect(await stored()).toMatchObject({ refreshToken: next.refreshToken });
      await clock.advance(4000);
      await session({ clock }).ensureFresh();
      expect(tokens.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
    },
  );

  it(
    "of more than 1 MiB is not read as one: the attempt counts as unknown",
    proves("oauth-store/transient-is-not-permanent"),
    async () => {
      const { tokens, save, session, records } = setting;
      await save(credentialOf(tokens.authority.login()));
      const json = {
        access_token: "at",
        refresh_token: "rt-too-late-to-be-read",
        filler: "x".repeat(1 << 20),
      };
      tokens.authority.mischief.push({ json });
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ reason: "unreadable" });
      expect(await records()).toMatchObject([{ state: "unknown" }]);
      await clock.advance(3000);
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
    },
  );

  it(
    "without lifetime, refresh token or scopes: the first is unknown from then on, the others are kept",
    proves("oauth-store/lifetimes", "oauth-store/not-rotating"),
    async () => {
      const { tokens, save, store, session, records } = setting;
      const issued = tokens.authority.login();
      await save({ ...credentialOf(issued), scopes: ["a", "b"] });
      tokens.authority.mischief.push({ json: { access_token: "at-next" } });
      await session().ensureFresh();
      expect(await store.read(KEY)).toMatchObject({
        access_token: "at-next",
        refresh_token: issued.refreshToken,
        expires_at: null,
        scopes: ["a", "b"],
      });
      expect(await records()).toEqual([]);
      const clock = virtualClock();
      await clock.advance(1000 * HOUR);
      expect((await session({ clock }).ensureFresh()).view.accessToken).toBe("at-next");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
