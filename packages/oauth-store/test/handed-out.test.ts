import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it.each(["at once", "after the other's is in use here"])(
    "hands nobody who names a rejected bearer another owner's credential, %s",
    proves("oauth-store/no-wrong-owner"),
    async (when) => {
      const { tokens, save, session, another } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const mine = session();
      const handle = await mine.ensureFresh();
      await another().login({ ...credentialOf(tokens.authority.login(), HOUR), clientId: "client-2" });
      if (when !== "at once") await expect(mine.recover(handle)).rejects.toEqual(code("REPLACED"));
      await expect(mine.recoverBearer(issued.accessToken)).rejects.toEqual(code("REPLACED"));
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it(
    "hands who names a rejected bearer what the same owner has logged in for since",
    proves("oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save, session, another } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const mine = session();
      await mine.ensureFresh();
      const again = tokens.authority.login();
      await another().login(credentialOf(again, HOUR));
      expect((await mine.recoverBearer(issued.accessToken)).view.accessToken).toBe(again.accessToken);
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it(
    "hands out no token that a caller who had given up reported as rejected",
    proves("oauth-store/rejected-is-not-served"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const mine = session();
      const rejected = await mine.ensureFresh();
      const signal = AbortSignal.abort(new Error("gone"));
      await expect(mine.recover(rejected, { signal })).rejects.toThrow("gone");
      expect((await mine.ensureFresh()).view.accessToken).not.toBe(issued.accessToken);
    },
  );

  it(
    "hands a login to those who wait at once, while a grant that was asked for before still hangs",
    proves("oauth-store/login-wins"),
    async () => {
      const { tokens, save, another } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      // No caller's time runs out: what they get is what came.
      const one = another({ stillSinceMs: Date.now() });
      const waiting = one.ensureFresh();
      await tokens.server.waitFor(1);
      const again = tokens.authority.login();
      const login = one.login(credentialOf(again, HOUR));
      expect((await waiting).accessToken).toBe(again.accessToken);
      kept.release();
      await login;
      expect((await setting.stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "hands an idle session, whose token has expired, the sibling's that is valid still, when bettering it fails",
    proves("oauth-store/valid-is-served", "oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save, session, events } = setting;
      const clock = virtualClock();
      await save(credentialOf(tokens.authority.login(), HOUR));
      const idle = session({ clock });
      await idle.ensureFresh();
      tokens.authority.expiresInS = 3620;
      const { lineage, view } = await session({ clock }).refresh();
      await clock.advance(HOUR + 1000);
      tokens.authority.mischief.push({ status: 503 });
      expect((await idle.ensureFresh()).view.accessToken).toBe(view.accessToken);
      expect(events).toContainEqual({ type: "adopted", lineage, generation: 1 });
    },
  );

  it(
    "hands processes that all force a refresh of one generation the next, which was asked for once",
    proves("oauth-store/one-grant-for-all"),
    async () => {
      const { tokens, save, another } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const all = [another(), another(), another()];
      for (const one of all) await one.ensureFresh();
      const kept = tokens.keepAnswers();
      const forced = all.map((one) => one.refresh());
      await tokens.server.waitFor(1);
      // Orders are taken in turn: the others have been told, too, and wait for the lock.
      await Promise.all(all.map((one) => one.status()));
      kept.release();
      const handles = await Promise.all(forced);
      expect(handles.map(({ generation }) => generation)).toEqual([1, 1, 1]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
