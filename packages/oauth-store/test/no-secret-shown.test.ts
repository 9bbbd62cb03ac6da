import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { KEY } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it("shows no secret in what it throws, says or is", proves("oauth-store/no-secret-shown"), async () => {
    const setting = newSetting();
    const { mine, issued } = await signedIn(setting);
    const a = await mine.ensureFresh();
    setting.authority.mischief.push({
      status: 400,
      body: `{"error":"invalid_grant","echo":"${issued.refreshToken}"}`,
    });
    const thrown = await mine.recover(a).catch((error: unknown) => error);
    const shown = [thrown, mine, a, await mine.status(), await mine.explain(), setting.store, setting.events];
    for (const one of shown) {
      const text = inspect(one, { depth: null, showHidden: true }) + JSON.stringify(one) + String(one);
      for (const secret of [issued.accessToken, issued.refreshToken]) expect(text).not.toContain(secret);
    }
    expect(KEY).toContain("mock");
  });
});
