import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it("says that a login is needed where there is none", proves("oauth-store/nothing-to-spend"), async () => {
    const { session, grants } = newSetting();
    await expect(session().ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
    expect(grants).toEqual([]);
  });

  describe("outcomes", () => {
    it(
      "has nothing to spend: says so and sends nothing",
      proves("oauth-store/nothing-to-spend"),
      async () => {
        const setting = newSetting();
        await setting.save(credentialOf({ accessToken: "at-only" }));
        await expect(setting.session().ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
          reason: "no-refresh-token",
        });
        expect((await setting.session().explain()).verdict).toBe("unspendable");
        expect(setting.grants).toEqual([]);
      },
    );

    it(
      "has nothing to spend: claims nothing, and looks once for all who ask",
      proves("oauth-store/nothing-to-spend"),
      async () => {
        let reads = 0;
        const setting = newSetting({
          wrap: (inner) => ({
            ...inner,
            read(key) {
              reads += 1;
              return inner.read(key);
            },
          }),
        });
        await setting.save(credentialOf({ accessToken: "at-only" }));
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        const forOne = reads;
        const mine = setting.session();
        const all = await Promise.allSettled(Array.from({ length: 20 }, () => mine.ensureFresh()));
        expect(all.map(({ status }) => status)).toEqual(Array(20).fill("rejected"));
        expect(reads).toBe(2 * forOne);
        expect((await mine.explain()).spends).toEqual([]);
      },
    );
  });
});
