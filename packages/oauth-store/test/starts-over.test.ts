import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider, type SpendSummary } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it(
    "does not send what the store no longer holds when the claim stands",
    proves("oauth-store/login-wins"),
    async () => {
      const setting = newSetting();
      const { authority } = setting;
      await setting.save(credentialOf(authority.login()));
      const theirs = authority.login();
      let claims = 0;
      const mine = setting.session({
        faultPoint: async (name) => {
          if (name === "claimed" && claims++ === 0) await setting.save(credentialOf(theirs, HOUR));
        },
      });
      expect((await mine.ensureFresh()).view.accessToken).toBe(theirs.accessToken);
      expect(authority.presented).toEqual([]);
      expect((await mine.explain()).spends.filter(isSent)).toEqual([]);
    },
  );

  it(
    "starts over when the clocks move apart before the send",
    proves("oauth-store/clock-jumps"),
    async () => {
      const clock = steppingClock();
      let jumps = 0;
      const setting = newSetting({
        clock,
        faultPoint: (name) => {
          if (name === "checked" && jumps++ === 0) clock.jump(5000);
        },
      });
      await setting.save(credentialOf(setting.authority.login()));
      await setting.session().ensureFresh();
      expect(jumps).toBe(2);
      expect(setting.authority.presented).toHaveLength(1);
    },
  );
});

describe("a store that moves while it is judged", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "is judged anew under the same lock, twice at most; then nothing was sent",
    proves("oauth-store/starts-over"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      const { locks, acquired } = countingLocks();
      let rounds = 0;
      const mine = session({
        locks,
        faultPoint: async (name) => {
          if (name === "claimed") {
            rounds += 1;
            await save({ ...credentialOf(issued), scopes: [`round-${rounds}`] });
          }
        },
      });
      await expect(mine.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_TRANSIENT",
        reason: "store-moves",
        retry: "after",
      });
      expect(rounds).toBe(3);
      expect(acquired.filter((path) => path.includes("locks/") && !path.includes("mcp"))).toHaveLength(1);
      expect(tokens.authority.presented).toEqual([]);
      // What was claimed in vain stops nobody.
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it.each(["another login", "nothing"])(
    "and holds %s when the claim stands: that is taken, and nothing is sent",
    proves("oauth-store/starts-over", "oauth-store/login-wins"),
    async (what) => {
      const { tokens, save, session, store, records } = setting;
      await save(credentialOf(tokens.authority.login()));
      const theirs = tokens.authority.login();
      let claims = 0;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "claimed" || claims++ > 0) return;
          if (what === "nothing") await store.update(KEY, () => "remove");
          else await save(credentialOf(theirs, HOUR));
        },
      });
      if (what === "nothing")
        await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      else expect((await mine.ensureFresh()).view.accessToken).toBe(theirs.accessToken);
      expect(tokens.authority.presented).toEqual([]);
      expect(await records()).toMatchObject([{ state: "deferred", outcomeCode: "not-sent" }]);
    },
  );

  it(
    "as when the clocks move apart before the send: everything is judged anew, and sent once",
    proves("oauth-store/starts-over", "oauth-store/clock-jumps"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      let checks = 0;
      const mine = session({
        clock,
        faultPoint: (name) => {
          if (name === "checked" && checks++ === 0) clock.jump(2001);
        },
      });
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(checks).toBe(2);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

/** A claim that was given back may leave its number behind. */
function isSent({ outcomeCode }: SpendSummary): boolean {
  return outcomeCode !== "not-sent";
}

/** Real locks, and how often each file was locked. */
function countingLocks() {
  const locks = flockProvider();
  const acquired: string[] = [];
  const acquire: typeof locks.acquire = (path, options) => {
    acquired.push(path);
    return locks.acquire(path, options);
  };
  return { locks: { ...locks, acquire }, acquired };
}
