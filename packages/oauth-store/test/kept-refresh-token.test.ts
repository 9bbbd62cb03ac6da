import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  const points = ["sealed", "file/renamed", "committed"];
  const ways = ["refresh", "recover", "expiry"] as const;
  it.each(ways.flatMap((way) => points.map((point) => ({ way, point }))))(
    "goes on with a refresh token that the server keeps, after a kill at $point of a $way",
    proves("oauth-store/not-rotating", "oauth-store/crash-loses-nothing"),
    async ({ way, point }) => {
      const { authority } = setting.tokens;
      const issued = authority.login();
      await setting.session().login(credentialOf(issued, way === "expiry" ? -1 : HOUR));
      for (const name of ["access-one", "access-two"]) {
        authority.mischief.push({ json: { access_token: name, token_type: "Bearer", expires_in: 3600 } });
      }
      const other = setting.another({ arm: [point] });
      if (way === "expiry") void other.ensureFresh().catch(() => {});
      else {
        const handle = await other.ensureFresh();
        void (way === "refresh" ? other.refresh() : other.recover(handle)).catch(() => {});
      }
      await other.child.reached(point);
      await other.child.kill();

      const clock = steppingClock();
      const next = setting.session({ clock });
      await next.ensureFresh();
      clock.advance(2 * HOUR);
      // What was saved before the kill is no attempt that came to nothing: the next is not put off.
      const later = await next.ensureFresh();
      expect(later.view.accessToken).toMatch(/^access-/);
      expect(authority.presented.every((token) => token === issued.refreshToken)).toBe(true);
      expect(authority.presented).toHaveLength(2);
      expect((await next.explain()).spends).toEqual([]);
    },
  );
});
