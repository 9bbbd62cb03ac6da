import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("recover", () => {
    it(
      "starts one more flight when the one it joined brings the rejected generation",
      proves("oauth-store/flight-tail"),
      async () => {
        const setting = newSetting();
        const { authority } = setting;
        const { promise: gate, resolve: open } = Promise.withResolvers<void>();
        let atGate = 0;
        const mine = setting.session({
          faultPoint: async (name) => {
            if (name !== "committed") return;
            atGate += 1;
            await gate;
          },
        });
        await setting.session().login(credentialOf(authority.login(), HOUR));
        const a = await mine.ensureFresh();
        const forced = mine.refresh();
        await expect.poll(() => atGate).toBe(1);
        // Another part of the process has read the store, used what it saw there, and was rejected.
        const b = await setting.session().ensureFresh();
        expect(b.generation).toBe(a.generation + 1);
        const recovering = mine.recover(b);
        open();
        expect((await forced).generation).toBe(b.generation);
        expect((await recovering).generation).toBe(b.generation + 1);
        expect(authority.presented).toHaveLength(2);
      },
    );

    it(
      "ends a flight when its result is out: who comes while its lock is still held starts another",
      proves("oauth-store/flight-tail"),
      async () => {
        const setting = newSetting();
        const published = Promise.withResolvers<void>();
        const opened = Promise.withResolvers<void>();
        await setting.save(credentialOf(setting.authority.login()));
        const mine = setting.session({
          faultPoint: async (name) => {
            if (name !== "published") return;
            published.resolve();
            await opened.promise;
          },
        });
        const first = mine.ensureFresh();
        await published.promise;
        expect(mine.snapshot()?.generation).toBe(1);
        const recovering = mine.recover(await first);
        opened.resolve();
        expect((await recovering).generation).toBe(2);
        expect(setting.authority.presented).toHaveLength(2);
      },
    );
  });
});

describe("the end of a flight", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "that brings the very generation that was rejected starts one more, for whoever joined it",
    proves("oauth-store/flight-tail"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const committed = Promise.withResolvers<void>();
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "committed") return;
          committed.resolve();
          await gate;
        },
      });
      await mine.ensureFresh();
      const forced = mine.refresh();
      await committed.promise;
      // Somebody else has read what was saved a moment ago, used it, and was rejected.
      const b = await session().ensureFresh();
      const recovering = mine.recover(b);
      open();
      expect((await forced).generation).toBe(b.generation);
      expect((await recovering).generation).toBe(b.generation + 1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
