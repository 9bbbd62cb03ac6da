import { AsyncLocalStorage } from "node:async_hooks";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it(
    "refreshes an expired credential once for 50 callers",
    proves("oauth-store/one-grant-for-all"),
    async () => {
      const { session, save, authority, stored, events } = newSetting();
      await save(credentialOf(authority.login()));
      const mine = session();
      const handles = await Promise.all(Array.from({ length: 50 }, () => mine.ensureFresh()));
      expect(new Set(handles).size).toBe(1);
      expect(authority.presented).toHaveLength(1);
      expect(authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(events.map((event) => event.type)).toEqual(["refreshed"]);
      await mine.settle();
    },
  );

  it(
    "never waits past a caller's own signal, and the refresh goes on",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
      const setting = newSetting();
      const { authority, save, session, stored } = setting;
      await save(credentialOf(authority.login()));
      const mine = session({
        refreshGrant: async ({ refreshToken }) => {
          ask();
          await gate;
          return authority.grant(refreshToken);
        },
      });
      const leaving = new AbortController();
      const call = mine.ensureFresh({ signal: leaving.signal });
      await asked;
      leaving.abort(new Error("gave up"));
      await expect(call).rejects.toThrow("gave up");
      open();
      await mine.settle();
      expect(authority.presented).toHaveLength(1);
      expect((await stored())?.accessToken).toBe(mine.snapshot()?.view.accessToken);
    },
  );

  it("8 forced refreshes at once spend once", proves("oauth-store/one-grant-for-all"), async () => {
    const setting = newSetting();
    const { mine } = await signedIn(setting);
    const all = await Promise.all(Array.from({ length: 8 }, () => mine.refresh()));
    expect(new Set(all).size).toBe(1);
    expect(setting.authority.presented).toHaveLength(1);
    expect(setting.grants[0]?.reason).toBe("forced");
  });

  it(
    "runs shared work in the context of its creator, not of the caller who came first",
    proves("oauth-store/own-context"),
    async () => {
      const who = new AsyncLocalStorage<string>();
      const setting = newSetting();
      const seen: (string | undefined)[] = [];
      const mine = who.run("creator", () =>
        setting.session({
          refreshGrant: async ({ refreshToken }) => {
            seen.push(who.getStore());
            return setting.authority.grant(refreshToken);
          },
        }),
      );
      await setting.save(credentialOf(setting.authority.login()));
      await who.run("caller", () => mine.ensureFresh());
      expect(seen).toEqual(["creator"]);
    },
  );

  it("a caller whose signal has ended already starts nothing, and nothing is left unhandled", async () => {
    const setting = newSetting();
    const mine = setting.session();
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(mine.ensureFresh({ signal })).rejects.toThrow("too late");
    await setting.save(credentialOf(setting.authority.login()));
    await expect(mine.ensureFresh({ signal })).rejects.toThrow("too late");
    await expect(mine.refresh({ signal })).rejects.toThrow("too late");
    await mine.settle();
    expect(setting.authority.presented).toEqual([]);
  });
});
