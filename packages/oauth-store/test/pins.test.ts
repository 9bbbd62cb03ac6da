import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf } from "./support/memory-setting.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it("gives refreshes what was pinned at login", proves("oauth-store/pins-reach-the-grant"), async () => {
    const setting = newSetting();
    const mine = setting.session();
    await mine.login(credentialOf(setting.authority.login(), HOUR), {
      pins: { endpoint: "https://as.example/token" },
    });
    await mine.refresh();
    await setting.session().refresh();
    expect(setting.grants.map((grant) => grant.pins)).toEqual(
      Array(2).fill({ endpoint: "https://as.example/token" }),
    );
  });
});

describe("what was pinned at a login", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "reaches every refresh of that login, in every session, and none of another login",
    proves("oauth-store/pins-reach-the-grant"),
    async () => {
      const { tokens, session, path } = setting;
      const grant = loopbackGrant(tokens.url);
      const seen: unknown[] = [];
      const refreshGrant: typeof grant = (input) => {
        seen.push([input.pins, input.credential.issuer]);
        return grant(input);
      };
      const pins = { issuer: "https://as.example", endpoint: "https://as.example/token", resource: "r" };
      const mine = session({ refreshGrant });
      await mine.login(credentialOf(tokens.authority.login()), { pins });
      await mine.refresh();
      const restore = await backUp(path);
      await session({ refreshGrant }).refresh();
      // Back to the generation before: the session that has the later one writes it again, and goes on.
      await mine.recover(await mine.ensureFresh());
      await restore();
      await mine.refresh();
      expect(seen).toEqual(Array(seen.length).fill([pins, "https://as.example"]));
      expect(seen.length).toBeGreaterThan(2);

      seen.length = 0;
      const other = { ...credentialOf(tokens.authority.login()), issuer: "https://other.example" };
      await session().login(other);
      await session({ refreshGrant }).ensureFresh();
      expect(seen).toEqual([[{}, "https://other.example"]]);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});
