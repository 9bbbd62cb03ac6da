import { readFile } from "node:fs/promises";
import { proves, spawnChild, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it, vi } from "vitest";
import { oauthCredential } from "../src/index.ts";
import { barePackage } from "./support/bare-package.ts";
import { homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

vi.mock("node:module", async (original) => ({
  ...(await original<typeof import("node:module")>()),
  createRequire: () => () => {
    throw new Error("Cannot find module");
  },
}));

describe("without the lock library", () => {
  it("really without it, nothing is sent or saved", proves("oauth-store/lock-unavailable"), async () => {
    const home = await temporaryHome();
    const issued = { accessToken: "at", refreshToken: "a-refresh-token-that-is-long" };
    const text = JSON.stringify({ [KEY]: oauthCredential.serialize(credentialOf(issued)) });
    await home.write(".credentials.json", text);
    const child = spawnChild({
      script: await barePackage(home, "bare-child.ts", "without locks"),
      args: [home.path, KEY, "file"],
      env: { NODE_PATH: undefined },
    });
    try {
      const error = {
        code: "ERR_OAUTH_STORE_LOCK_UNAVAILABLE",
        message: expect.stringMatching(/@koromix\/koffi-\w+-\w+.*install/),
      };
      const events = ["resolved"];
      expect(await child.receive()).toEqual({ used: error, saved: error, grants: 0, events });
      expect(await readFile(home.file(".credentials.json"), "utf8")).toBe(text);
    } finally {
      await child[Symbol.asyncDispose]();
      await home.remove();
    }
  });

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
