import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("outcomes", () => {
    it(
      "a refusal is sent once, and told again to everybody without sending",
      proves("oauth-store/refused-once"),
      async () => {
        const setting = newSetting();
        await setting.save(
          credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }),
        );
        for (let more = 0; more < 3; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_REFUSED",
            reason: "invalid_grant",
            retry: "never",
          });
        }
        expect(setting.authority.presented).toHaveLength(1);
        const issued = setting.authority.login();
        await setting.save(credentialOf(issued));
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
        expect(await setting.stored()).not.toBeUndefined();
      },
    );

    it.each([
      ["could not be sent", "deferred", "REFUSED"],
      ["was turned away", "deferred", "REFUSED"],
      ["got no answer", "unknown", "INTERRUPTED"],
      ["was answered with a 500", "unknown", "INTERRUPTED"],
    ])(
      "an attempt that %s is %s, and a refusal after it %s",
      proves("oauth-store/interrupted-is-named"),
      async (what, state, end) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        await setting.save(
          credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }),
        );
        if (what === "was turned away") authority.mischief.push({ status: 429 });
        if (what === "got no answer") authority.mischief.push({ lose: "before" });
        if (what === "was answered with a 500") authority.mischief.push({ status: 500 });
        // Nobody listens there.
        const closed = loopbackGrant("http://127.0.0.1:1/");
        const first = session(what === "could not be sent" ? { refreshGrant: closed } : {});
        await expect(first.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await first.explain()).spends).toMatchObject([{ state }]);
        clock.advance(4000);
        await expect(session().ensureFresh()).rejects.toEqual(code(end));
        expect(authority.presented).toHaveLength(what === "could not be sent" ? 1 : 2);
      },
    );
  });
});

describe("a grant that provably never left", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "leaves no doubt behind: a refusal after it is a refusal, not an interrupted refresh",
    proves("oauth-store/next-starter", "oauth-store/interrupted-is-named"),
    async () => {
      const { tokens, save, session, records } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const refreshGrant = async () => ({ sent: "no", code: "dns" }) as const;
      await expect(session({ clock, refreshGrant }).ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_TRANSIENT",
        reason: "dns",
      });
      expect(await records()).toMatchObject([{ state: "deferred", outcomeCode: "dns" }]);
      await clock.advance(3000);
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
