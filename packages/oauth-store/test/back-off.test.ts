import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("outcomes", () => {
    it(
      "a 500 puts the next attempt off for everybody, and a login survives it",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        setting.authority.mischief.push({ status: 500 }, { status: 503 });
        for (let more = 0; more < 3; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_TRANSIENT",
            retry: "after",
            retryAtMs: expect.any(Number),
          });
        }
        expect(setting.authority.presented).toHaveLength(1);
        clock.advance(1100);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(1100);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect(setting.authority.presented).toHaveLength(2);
        clock.advance(1000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(3);
      },
    );

    it(
      "ten minutes of 500 cost at most 12 sends, whoever asks",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        for (let i = 0; i < 100; i += 1) setting.authority.mischief.push({ status: 500 });
        for (let second = 0; second < 600; second += 1) {
          await setting
            .session()
            .ensureFresh()
            .catch(() => {});
          clock.advance(1000);
        }
        expect(setting.authority.presented.length).toBeGreaterThan(3);
        expect(setting.authority.presented.length).toBeLessThanOrEqual(12);
      },
    );

    it(
      "honours a time the server names, up to 15 minutes",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        setting.authority.mischief.push({ status: 429, retryAtMs: Date.now() + 60_000 });
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(59_000);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(2000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
        setting.authority.mischief.push({ status: 429, retryAtMs: Date.now() + HOUR });
        await expect(setting.session().refresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(14 * 60_000);
        await expect(setting.session().refresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(2 * 60_000);
        await setting.session().refresh();
        expect(setting.authority.presented).toHaveLength(4);
      },
    );

    it.each([
      ["200 {}", { json: {} }],
      ["garbage", { status: 200, body: "<html>" }],
      ["a page with 403", { status: 403, body: "<html>" }],
      ["a redirect", { status: 307 }],
      ["an error that is not final", { status: 400, body: '{"error":"slow_down"}' }],
      ["an answer nested 10,000 deep", { status: 200, body: `${"[".repeat(10_000)}` }],
    ])(
      "%s is no end of the login",
      proves("oauth-store/transient-is-not-permanent"),
      async (_name, trick) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const issued = setting.authority.login();
        await setting.save(credentialOf(issued));
        setting.authority.mischief.push(trick);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await setting.stored())?.refreshToken).toBe(issued.refreshToken);
        clock.advance(4000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
      },
    );
  });
});
