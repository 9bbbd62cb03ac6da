import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const DAY = 24 * HOUR;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe.each(bothSettings)("a clock that jumps a day, %s", (_where, newSetting) => {
  it.each([DAY, -DAY])(
    "by %d ms, and back, costs one refresh at most and no login",
    proves("oauth-store/clock-jumps"),
    async (jumpMs) => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      const mine = store.session();
      await mine.login(credentialOf(store.authority.login(), HOUR));
      clock.jump(jumpMs);
      for (let more = 0; more < 5; more += 1) {
        await mine.ensureFresh();
        await store.session().ensureFresh();
      }
      clock.jump(-jumpMs);
      for (let more = 0; more < 5; more += 1) await store.session().ensureFresh();
      await mine.settle();
      expect(store.authority.presented.length).toBeLessThanOrEqual(1);
      expect(store.authority.isLive((await store.stored())?.refreshToken)).toBe(true);
      expect((await mine.recover(await mine.ensureFresh())).view.accessToken).toBe(
        (await store.stored())?.accessToken,
      );
    },
  );

  it.each([DAY, -DAY])(
    "by %d ms between two attempts keeps nobody waiting longer than a quarter of an hour",
    proves("oauth-store/clock-jumps"),
    async (jumpMs) => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      await store.save(credentialOf(store.authority.login(), -2 * DAY));
      store.authority.mischief.push({ status: 500 });
      await expect(store.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      clock.jump(jumpMs);
      const first = await store
        .session()
        .ensureFresh()
        .catch((error: unknown) => error);
      if (jumpMs < 0) expect(first).toEqual(code("TRANSIENT"));
      await clock.advance(15 * 60_000 + 1);
      await store.session().ensureFresh();
      expect(store.authority.presented).toHaveLength(2);
    },
  );

  it(
    "back during an attempt leaves a next time that lies before it: that counts as now",
    proves("oauth-store/clock-jumps"),
    async () => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      await store.save(credentialOf(store.authority.login(), -2 * DAY));
      const failing = store.session({
        refreshGrant: async () => {
          clock.jump(-DAY);
          return { sent: "yes", status: 500, body: new Uint8Array() };
        },
      });
      await expect(failing.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      expect((await store.session().ensureFresh()).generation).toBe(1);
      expect(store.authority.presented).toHaveLength(1);
    },
  );
});

describe(createCredentialSession, () => {
  it(
    "corrects a next time that a jumping clock wrote a day ahead",
    proves("oauth-store/back-off-shared"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      tokens.authority.mischief.push({ status: 500 });
      const ahead = steppingClock();
      ahead.jump(86_400_000);
      await expect(session({ clock: ahead }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      const clock = steppingClock();
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      clock.advance(16 * 60_000);
      await session({ clock }).ensureFresh();
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
