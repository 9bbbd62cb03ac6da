import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

const SHORT = ["r-short-one", "r-short-two", "r-short-three"] as const;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "brings back a successor that only this process has when the store goes back while it is got",
    proves("oauth-store/store-went-back", "oauth-store/short-token-not-sealed"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      const [first, second, third] = SHORT;
      tokens.authority.live.set(first, "family");
      const answer = (access: string, refresh: string) => ({
        json: { access_token: access, refresh_token: refresh, expires_in: 3600 },
      });
      tokens.authority.mischief.push(answer("at-1", second), answer("at-2", third));
      await save(credentialOf({ accessToken: "at-0", refreshToken: first }));
      const restore = await backUp(path);
      let sends = 0;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "answered") return;
          sends += 1;
          if (sends === 2) await restore();
        },
      });
      await mine.ensureFresh();
      const last = await mine.refresh();

      expect(last.view.accessToken).toBe("at-2");
      expect((await stored())?.refreshToken).toBe(third);
      expect(tokens.authority.presented).toEqual([first, second]);
      expect(await mine.explain()).toMatchObject({ verdict: "working" });
    },
  );
});
