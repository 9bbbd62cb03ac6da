import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("what this process could not save", () => {
  it("is saved before anything is judged or sent", proves("oauth-store/unsaved-is-kept"), async () => {
    const { tokens, save, stored, session, path, events } = setting;
    await save(credentialOf(tokens.authority.login()));
    let unblock = async () => {};
    const mine = session({
      // Time stands still: it is not saved in the background.
      clock: virtualClock(),
      faultPoint: async (name) => {
        if (name === "sealed" && tokens.authority.presented.length === 1) unblock = await blockStore(path);
      },
    });
    const b = await mine.ensureFresh();
    await unblock();
    const c = await mine.recover(b);
    expect(c.generation).toBe(2);
    expect((await stored())?.accessToken).toBe(c.view.accessToken);
    expect(events.map(({ type }) => type)).toEqual(["unpersisted", "refreshed", "persisted", "refreshed"]);
    expect(tokens.authority.presented).toHaveLength(2);
    expect(tokens.authority.revokedFamilies.size).toBe(0);
  });
});
