import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { damage, recordPaths } from "./support/record-paths.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "takes the tokens out of an answer in which another member is not UTF-8",
    proves("oauth-store/odd-answers"),
    async () => {
      const { tokens, save, session, stored } = setting;
      await save(credentialOf(tokens.authority.login()));
      const mine = session({
        refreshGrant: async ({ refreshToken }) => {
          const answer = tokens.authority.grant(refreshToken);
          if (answer.sent !== "yes") return answer;
          const text = Buffer.from(answer.body).toString("utf8").replace("{", '{"region":"Zürich",');
          return { ...answer, body: Buffer.from(text, "latin1") };
        },
      });
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each([
    ["its issuer was added", { issuer: undefined }],
    ["its client was", { clientId: "an-older-client" }],
  ])(
    "finishes from a sealed answer though, beside the refresh token that it was got for, %s",
    proves("oauth-store/crash-loses-nothing", "oauth-store/compare-and-swap"),
    async (_, before) => {
      const { tokens, save, session, stored, another } = setting;
      const issued = tokens.authority.login();
      await save({ ...credentialOf(issued), ...before });
      const victim = another({ arm: ["sealed"] });
      void victim.ensureFresh();
      await victim.child.reached("sealed");
      await victim.child.kill();
      await save(credentialOf(issued));
      expect((await session().ensureFresh()).generation).toBe(1);
      expect((await stored())?.issuer).toBe("https://as.example");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "keeps an answer that can be neither sealed nor saved, and every other process from sending, until it is saved",
    proves("oauth-store/held", "oauth-store/unsaved-is-kept"),
    async () => {
      const { tokens, save, session, home, path, another } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      let unblock = async () => {};
      const first = session({
        clock: virtualClock(),
        faultPoint: async (name) => {
          if (name === "seal/body-written") {
            const [record = ""] = await recordPaths(home);
            await damage(record, "body");
            throw new Error("the disk fails");
          }
          if (name === "sealed") unblock = await blockStore(path);
        },
      });
      const { view } = await first.ensureFresh();
      await unblock();
      const other = another();
      await expect(other.ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_HELD_ELSEWHERE" });
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
      await first.settle();
      expect((await other.ensureFresh()).accessToken).toBe(view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
