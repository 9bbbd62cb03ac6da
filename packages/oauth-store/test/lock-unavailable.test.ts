import { proves } from "@hawser/test-kit";
import { describe, expect, it, vi } from "vitest";
import { homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

vi.mock("node:module", async (original) => ({
  ...(await original<typeof import("node:module")>()),
  createRequire: () => () => {
    throw new Error("Cannot find module");
  },
}));

describe("without the lock library", () => {
  it("fails closed and says what to install", proves("oauth-store/lock-unavailable"), async () => {
    const setting = await homeSetting();
    try {
      await setting.home.write(
        ".credentials.json",
        JSON.stringify({
          "mock|0": {
            server_name: "mock",
            server_url: credentialOf({ accessToken: "a" }).serverUrl,
            client_id: "c",
            access_token: "at",
            expires_at: 1,
            refresh_token: "rt-long-enough-to-be-sealed",
            scopes: [],
          },
        }),
      );
      await expect(setting.session().ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_UNAVAILABLE",
        message: expect.stringMatching(/@koromix\/koffi-\w+-\w+.*install/),
      });
      expect(setting.tokens.authority.presented).toHaveLength(0);
    } finally {
      await setting[Symbol.asyncDispose]();
    }
  });
});
