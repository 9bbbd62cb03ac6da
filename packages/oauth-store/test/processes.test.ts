import { proves, type SpawnedChild, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

const LONG = process.env["HAWSER_TEST_LONG"] !== undefined;
const KILLS = LONG ? 100 : 1;
const SCRIPT = new URL("./children/session-child.ts", import.meta.url);

type ChildResult = { accessToken?: string; code?: string }[];

let setting: HomeSetting;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await setting[Symbol.asyncDispose]();
});

async function child(callers = 1, arm: string[] = []): Promise<SpawnedChild> {
  const spawned = spawnChild({ script: SCRIPT, arm });
  children.push(spawned);
  spawned.send({ home: setting.home.path, key: KEY, tokenUrl: setting.tokens.url, callers });
  expect(await spawned.receive()).toBe("ready");
  return spawned;
}

describe("several processes", () => {
  it("4 processes with 10 callers each spend a one-time refresh token once, and all 40 succeed", {
    ...proves("oauth-store/one-grant-for-all"),
    timeout: LONG ? 600_000 : 30_000,
  }, async () => {
    const { tokens, save, stored } = setting;
    for (let round = 0; round < (LONG ? 50 : 1); round += 1) {
      await save(credentialOf(tokens.authority.login()));
      const before = tokens.authority.presented.length;
      const all = await Promise.all(Array.from({ length: 4 }, () => child(10)));
      for (const one of all) one.send("go");
      const results = (await Promise.all(all.map((one) => one.receive<ChildResult>()))).flat();
      const now = await stored();
      expect(results).toHaveLength(40);
      expect(new Set(results.map((result) => result.accessToken))).toEqual(new Set([now?.accessToken]));
      expect(tokens.authority.presented.length - before).toBe(1);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
      await Promise.all(all.map((one) => one.exited));
    }
  });

  const nothingSent = ["rehearsed", "claim/created", "claimed", "checked"];
  const answerKept = [
    "seal/body-written",
    "sealed",
    "store/locked",
    "lineage/file/temporary-written",
    "lineage/file/renamed",
    "noted",
    "file/temporary-written",
    "file/renamed",
    "committed",
    "settled",
  ];
  it.each([...nothingSent, ...answerKept])(
    "kill -9 at %s: the next start works, and the refresh token was sent once",
    { ...proves("oauth-store/crash-loses-nothing"), timeout: LONG ? 600_000 : 30_000 },
    async (point) => {
      const { tokens, save, stored, session } = setting;
      for (let kill = 0; kill < KILLS; kill += 1) {
        await save(credentialOf(tokens.authority.login()));
        const before = tokens.authority.presented.length;
        const victim = await child(1, [point]);
        victim.send("go");
        await victim.reached(point);
        expect((await victim.kill()).signal).toBe("SIGKILL");

        const handle = await session().ensureFresh();
        const now = await stored();
        expect(handle.view.accessToken).toBe(now?.accessToken);
        expect(tokens.authority.isLive(now?.refreshToken)).toBe(true);
        expect(tokens.authority.presented.length - before).toBe(1);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
      }
    },
  );

  it.each(["sent", "answered"])(
    "kill -9 when the answer was %s and not sealed: one more attempt, and its refusal is called an interrupted refresh",
    proves("oauth-store/interrupted-is-named"),
    async (point) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const victim = await child(1, point === "sent" ? [] : [point]);
      victim.send("go");
      await tokens.server.waitFor(1);
      if (point === "answered") {
        kept.release();
        await victim.reached(point);
      }
      await victim.kill();
      kept.release();

      const next = session();
      await expect(next.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_INTERRUPTED",
        reason: "invalid_grant",
        retry: "never",
      });
      expect((await next.explain()).verdict).toBe("interrupted");
      await expect(session().ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_INTERRUPTED" });
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
