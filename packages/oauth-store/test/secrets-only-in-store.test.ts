import { rm } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it("leaves no secret in any file but the store", proves("oauth-store/no-secret-shown"), async () => {
    const { tokens, save, session, path, allText } = setting;
    const issued = tokens.authority.login();
    await save(credentialOf(issued));
    const mine = session();
    const secrets = [issued.accessToken, issued.refreshToken];
    for (let round = 0; round < 3; round += 1) {
      const handle = await mine.refresh();
      secrets.push(handle.view.accessToken, ...tokens.authority.live.keys());
    }
    tokens.authority.mischief.push({ status: 400, body: `{"error":"${issued.refreshToken}"}` });
    const thrown = await mine.refresh().catch((error: unknown) => error);
    expect(thrown).toEqual(code("TRANSIENT"));
    await mine.settle();
    await rm(path);
    const text = await allText();
    expect(text).toContain("hawser-spend 1");
    for (const secret of secrets) expect(text).not.toContain(secret);
  });
});
