import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSpendRecords } from "../src/index.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("events", () => {
  it(
    "tell the story of a login in the two processes that share it",
    proves("oauth-store/events"),
    async () => {
      const { tokens } = setting;
      const [one, two] = [setting.another(), setting.another()];
      const { lineage } = await one.login(credentialOf(tokens.authority.login(), HOUR));
      const a = await two.ensureFresh();
      await one.refresh();
      await two.recover(a);
      tokens.authority.mischief.push({ status: 503 });
      await expect(two.refresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_TRANSIENT" });
      const again = await two.login(credentialOf(tokens.authority.login(), -1));
      expect((await one.refresh()).lineage).toBe(again.lineage);
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      await expect(one.refresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_REFUSED" });
      await two.logout();
      await expect(one.refresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED" });

      expect(one.events).toEqual([
        { type: "loggedIn", lineage },
        { type: "persisted", lineage, generation: 0 },
        { type: "refreshed", lineage, generation: 1 },
        { type: "replaced", sameOwner: true, lineage: again.lineage },
        { type: "refreshed", lineage: again.lineage, generation: 1 },
        { type: "refused", code: "invalid_grant" },
        { type: "loggedOut", elsewhere: true },
      ]);
      expect(two.events).toEqual([
        { type: "adopted", lineage, generation: 1 },
        { type: "deferred", code: "http-503", retryAtMs: expect.any(Number) },
        { type: "loggedIn", lineage: again.lineage },
        { type: "persisted", lineage: again.lineage, generation: 0 },
        { type: "loggedOut", elsewhere: false },
      ]);
      const text = inspect([one.events, two.events], { depth: 9 });
      for (const secret of tokens.authority.issued) expect(text).not.toContain(secret);
    },
  );
});

describe("settle", () => {
  it(
    "waits for a refresh that nobody else waits for, and the process can end with everything saved",
    proves("oauth-store/settles"),
    async () => {
      const { tokens, save, stored, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const one = setting.another();
      const call = one.ensureFresh();
      await tokens.server.waitFor(1);
      await call.leave();
      let isSettled = false;
      const settling = one.settle().then(() => {
        isSettled = true;
      });
      // Sent after it, and answered: it is still waiting.
      await one.status();
      expect(isSettled).toBe(false);
      kept.release();
      await settling;
      expect(await readSpendRecords({ home: home.path, key: KEY })).toMatchObject([{ state: "settled" }]);
      expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
      one.child.send("end");
      expect(await one.child.exited).toEqual({ code: 0, signal: null });
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "tries once more to save what could not be saved, and begins nothing",
    proves("oauth-store/settles", "oauth-store/unsaved-is-kept"),
    async () => {
      const { tokens, save, stored, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      // Time stands still: nothing is tried in the background.
      const one = setting.another({ arm: ["sealed"], stillSinceMs: Date.now() });
      const call = one.ensureFresh();
      await one.child.reached("sealed");
      const unblock = await blockStore(path);
      one.child.release("sealed");
      const b = await call;
      await one.settle();
      expect(one.events.filter(({ type }) => type === "unpersisted")).toHaveLength(2);
      await unblock();
      await one.settle();
      await one.settle();
      expect(one.events.at(-1)).toEqual({ type: "persisted", lineage: b.lineage, generation: 1 });
      expect((await stored())?.accessToken).toBe(b.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
