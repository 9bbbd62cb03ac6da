import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)(
  "an access token that was rejected and is issued again, %s",
  (_where, newSetting) => {
    it(
      "is not sent again: its new refresh token is kept, as a failure with back-off",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = virtualClock();
        const store = newSetting({ clock });
        const issued = store.authority.login("f");
        const mine = store.session();
        await mine.login(credentialOf(issued, HOUR));
        const a = await mine.ensureFresh();
        const next = store.authority.login("f");
        store.authority.mischief.push({
          json: { access_token: issued.accessToken, refresh_token: next.refreshToken, expires_in: 3600 },
        });
        await expect(mine.recover(a)).rejects.toMatchObject({ reason: "no-progress", retry: "after" });
        await expect(mine.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await store.stored())?.refreshToken).toBe(next.refreshToken);
        await clock.advance(5000);
        expect((await mine.ensureFresh()).view.accessToken).not.toBe(issued.accessToken);
        expect(store.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );
  },
);
