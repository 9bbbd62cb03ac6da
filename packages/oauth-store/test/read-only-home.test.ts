import { chmod, chown, rm } from "node:fs/promises";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it("uses a valid token from a home it cannot write to", proves("oauth-store/read-only-home"), async () => {
    const { tokens, save, home, path } = setting;
    const issued = tokens.authority.login();
    await save(credentialOf(issued, HOUR));
    await rm(home.file("mcp-oauth-locks"), { recursive: true });
    // Root may write anywhere: the reader is somebody else, who owns the home.
    const uid = process.getuid?.() === 0 ? 65534 : undefined;
    const child = spawnChild({
      script: new URL("./children/session-child.ts", import.meta.url),
      env: { HAWSER_TEST_UID: uid?.toString() },
    });
    try {
      if (uid) for (const one of [path, home.path]) await chown(one, uid, uid);
      await chmod(path, 0o400);
      await chmod(home.path, 0o500);
      child.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers: 1 });
      await child.receive();
      child.send("go");
      expect(await child.receive()).toEqual([expect.objectContaining({ accessToken: issued.accessToken })]);
    } finally {
      await child.kill();
      if (uid) for (const one of [home.path, path]) await chown(one, 0, 0);
      await chmod(home.path, 0o700);
    }
  });
});
