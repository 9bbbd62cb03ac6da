import { existsSync } from "node:fs";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("a store that another program changed while the answer was on its way", () => {
  it.each(["with the same refresh token", "with another one", "to nothing"])(
    "%s: it is merged with that, or gives way to it",
    proves("oauth-store/compare-and-swap"),
    async (what) => {
      const { tokens, save, stored, store, session, path, records } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      const kept = tokens.keepAnswers();
      const call = session().ensureFresh();
      call.catch(() => {});
      await tokens.server.waitFor(1);
      const theirs = tokens.authority.login();
      if (what === "with another one") await save(credentialOf(theirs, HOUR));
      else if (what === "to nothing") await store.update(KEY, () => "remove");
      else {
        await store.update(KEY, (now) => ({
          write: { ...(now as Record<string, never>), their_member: [1] },
        }));
      }
      kept.release();
      if (what === "with the same refresh token") {
        const { view } = await call;
        expect(await store.read(KEY)).toMatchObject({ access_token: view.accessToken, their_member: [1] });
        expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
        expect((await session().refresh()).generation).toBe(2);
      } else if (what === "with another one") {
        expect((await call).view.accessToken).toBe(theirs.accessToken);
        expect((await stored())?.refreshToken).toBe(theirs.refreshToken);
        expect(await records()).toMatchObject([{ state: "settled", outcomeCode: "replaced" }]);
      } else {
        await expect(call).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        expect(existsSync(path)).toBe(false);
        expect(await records()).toMatchObject([{ state: "settled", outcomeCode: "absent" }]);
      }
      expect(tokens.authority.presented.filter((one) => one === issued.refreshToken)).toHaveLength(1);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});

describe("a store that went back, and moves on while the newer generation is written again", () => {
  it(
    "keeps what was put there since",
    proves("oauth-store/compare-and-swap", "oauth-store/store-went-back"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      const theirs = tokens.authority.login();
      let wentBack = false;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "judged" || !wentBack) return;
          wentBack = false;
          await save(credentialOf(theirs, HOUR));
        },
      });
      const b = await mine.ensureFresh();
      await mine.recover(b);
      await restore();
      wentBack = true;
      expect((await mine.refresh()).view.accessToken).toBe(theirs.accessToken);
      expect((await stored())?.refreshToken).toBe(theirs.refreshToken);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
