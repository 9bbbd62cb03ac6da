import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";
import { steppingClock } from "./support/stepping-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("recover", () => {
    it(
      "answers a late rejection with what replaced the token, and sends nothing",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const b = await mine.recover(a);
        expect(setting.authority.presented).toHaveLength(1);
        for (let late = 0; late < 3; late += 1) expect(await mine.recover(a)).toBe(b);
        expect(setting.authority.presented).toHaveLength(1);
        expect([a.generation, b.generation, a.lineage === b.lineage]).toEqual([0, 1, true]);
      },
    );

    it(
      "spends once for any number of concurrent rejections of one generation",
      proves("oauth-store/one-grant-for-all"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const all = await Promise.all(Array.from({ length: 20 }, () => mine.recover(a)));
        expect(new Set(all).size).toBe(1);
        expect(setting.authority.presented).toHaveLength(1);
      },
    );

    it(
      "adopts what another session saved, without a grant",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const other = setting.session();
        const a = await other.ensureFresh();
        const b = await mine.recover(await mine.ensureFresh());
        expect((await other.recover(a)).view.accessToken).toBe(b.view.accessToken);
        expect(setting.authority.presented).toHaveLength(1);
      },
    );

    it(
      "takes a new login of the same owner for the rejected one",
      proves("oauth-store/login-elsewhere"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const again = setting.authority.login();
        await setting.session().login(credentialOf(again, HOUR));
        expect((await mine.recover(a)).view.accessToken).toBe(again.accessToken);
        expect(setting.authority.presented).toHaveLength(0);
      },
    );

    it(
      "gives up on a server that rejects what was just issued, after one more refresh",
      proves("oauth-store/fresh-rejection-bounded"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        let handle = await mine.ensureFresh();
        handle = await mine.recover(handle); // a login's token does not count
        handle = await mine.recover(handle); // one further refresh
        for (let more = 0; more < 3; more += 1) {
          await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        }
        const other = setting.session();
        await expect(other.recover(await other.ensureFresh())).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        await expect(mine.ensureFresh()).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        expect(setting.authority.presented).toHaveLength(2);
      },
    );

    it(
      "asks such a server again after a minute, and takes a token that was good for 10 s for no such case",
      proves("oauth-store/fresh-rejection-bounded"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { mine } = await signedIn(setting);
        let handle = await mine.ensureFresh();
        for (let more = 0; more < 2; more += 1) handle = await mine.recover(handle);
        await expect(mine.recover(handle)).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED",
          retryAtMs: expect.any(Number),
        });
        clock.advance(58_000);
        await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        expect(setting.authority.presented).toHaveLength(2);
        clock.advance(3000);
        handle = await mine.recover(handle);
        for (let more = 0; more < 3; more += 1) {
          clock.advance(11_000);
          handle = await mine.recover(handle);
        }
        expect(setting.authority.presented).toHaveLength(6);
        clock.advance(8000);
        // Ten seconds after its receipt it would have been an ordinary one.
        await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
      },
    );

    it(
      "tells generations apart by their place, not by their text: the server may issue the same one again",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { authority } = setting;
        const issued = authority.login("f");
        const mine = setting.session();
        await mine.login(credentialOf(issued, HOUR));
        const a = await mine.ensureFresh();
        const next = authority.login("f");
        authority.mischief.push({
          json: { access_token: issued.accessToken, refresh_token: next.refreshToken, expires_in: 3600 },
        });
        const b = await mine.refresh();
        expect([b.generation, b.view.accessToken]).toEqual([1, issued.accessToken]);
        expect(await mine.recover(a)).toBe(b);
        expect(authority.presented).toHaveLength(1);
        // A way in that knows only the text means what is held now.
        expect((await mine.recoverBearer(issued.accessToken)).generation).toBe(2);
        expect((await mine.recoverBearer(issued.accessToken)).generation).toBe(2);
        expect(authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it(
      "adopts a token that says nothing of itself because it is newer",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { authority, session } = setting;
        authority.expiresInS = undefined;
        await setting.save({ ...credentialOf(authority.login()), expiresAtMs: undefined });
        const [mine, other] = [session(), session()];
        const [a, sameA] = [await mine.ensureFresh(), await other.ensureFresh()];
        const b = await mine.recover(a);
        expect((await other.recover(sameA)).view.accessToken).toBe(b.view.accessToken);
        expect(authority.presented).toHaveLength(1);
      },
    );

    it(
      "does not serve a rejected token while it waits out a back-off",
      proves("oauth-store/rejected-is-not-served"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        setting.authority.mischief.push({ status: 500 });
        const a = await mine.ensureFresh();
        await expect(mine.recover(a)).rejects.toMatchObject({ retry: "after" });
        await expect(mine.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect(setting.authority.presented).toHaveLength(1);
      },
    );
  });
});
