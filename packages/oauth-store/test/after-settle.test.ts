import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, oauthCredential } from "../src/index.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { takeLock } from "./support/take-lock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const SETTLED = fileURLToPath(new URL("./children/settled-child.ts", import.meta.url));
const NODE = ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning"];

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "leaves no timer behind that would save once more what settle() has saved: a successor",
    proves("oauth-store/settles"),
    async () => {
      const { tokens, save, session, stored, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      let unblock = async () => {};
      const mine = session({
        clock,
        faultPoint: async (name) => {
          if (name === "sealed") unblock = await blockStore(path);
        },
      });
      await mine.ensureFresh({ signal: new AbortController().signal });
      expect(clock.timers()).toBe(1);
      await unblock();
      await mine.settle();
      expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(clock.timers()).toBe(0);
    },
  );

  it(
    "leaves no timer behind that would save once more what settle() has saved: a login",
    proves("oauth-store/settles"),
    async () => {
      const { tokens, session, stored, home } = setting;
      const clock = virtualClock();
      const lock = await takeLock(home);
      const mine = session({ locks: hastyLocks(), clock });
      const issued = tokens.authority.login();
      await mine.login(credentialOf(issued, HOUR));
      expect(clock.timers()).toBe(1);
      lock.release();
      await mine.settle();
      expect((await stored())?.refreshToken).toBe(issued.refreshToken);
      expect(clock.timers()).toBe(0);
    },
  );

  it(
    "keeps no process for a login that settle() has saved",
    proves("oauth-store/settles", "oauth-store/stays-to-save"),
    async () => {
      const { tokens, stored, home } = setting;
      const credential = credentialOf(tokens.authority.login(), HOUR);
      const entry = JSON.stringify(oauthCredential.serialize(credential));
      // Resolves when it has ended of itself; one that stays is killed, and told apart by that.
      await promisify(execFile)(process.execPath, [...NODE, SETTLED, home.path, entry], { timeout: 20_000 });
      expect((await stored())?.refreshToken).toBe(credential.refreshToken);
    },
  );
});
