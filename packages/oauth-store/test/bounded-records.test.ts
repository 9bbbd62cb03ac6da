import { readFile, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_SPENT_TOKENS, openSpentList } from "../src/spent-list.ts";
import { code } from "./support/code.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const ROUNDS = 20;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const records = async () => (await recordPaths(setting.home)).length;

describe("the records of one refresh token", () => {
  it.each([
    ["a failing server", { status: 503 }],
    ["answers that are lost", { lose: "before" }],
  ] as const)(
    "are one, however often it is sent to no avail: %s",
    proves("oauth-store/records-bounded"),
    async (_what, mischief) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      for (let round = 1; round <= ROUNDS; round += 1) {
        tokens.authority.mischief.push(mischief);
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        await clock.advance(15 * 60_000);
        expect(await records()).toBe(1);
      }
      // Nothing is forgotten with those that are gone: neither how many they were, nor what to think of a refusal.
      const mine = session({ clock });
      expect((await mine.explain()).spends).toMatchObject([{ attempt: ROUNDS, failures: ROUNDS }]);
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      await expect(mine.ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
    },
  );

  it(
    "are two, however often it was claimed and not sent after an attempt that was",
    proves("oauth-store/records-bounded"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      tokens.authority.mischief.push({ lose: "before" });
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      await clock.advance(3000);
      const slow = session({
        clock,
        faultPoint: (name) => (name === "claimed" ? clock.advance(45_000) : undefined),
      });
      const { signal } = new AbortController();
      for (let round = 0; round < ROUNDS; round += 1) {
        await expect(slow.ensureFresh({ signal })).rejects.toMatchObject({ reason: "slow-store" });
        expect(await records()).toBe(2);
      }
      expect(tokens.authority.presented).toHaveLength(1);
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("a refresh token whose record had to make room", () => {
  it(
    "is not sent from an older copy of the store",
    proves("oauth-store/records-bounded", "oauth-store/store-went-back"),
    async () => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      const mine = session();
      for (let round = 0; round < ROUNDS; round += 1) await mine.refresh();
      expect(await records()).toBeLessThan(ROUNDS);
      await restore();
      await expect(session().refresh()).rejects.toEqual(code("SUPERSEDED"));
      expect((await session().explain()).verdict).toBe("superseded");
      expect(tokens.authority.presented).toHaveLength(ROUNDS);
      // Whoever still holds the newest brings it back.
      expect((await mine.refresh()).generation).toBe(ROUNDS + 1);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );

  it(
    "is listed among so many that the list cannot grow for ever, a line that was torn aside",
    proves("oauth-store/records-bounded"),
    async () => {
      const path = setting.home.file("spent");
      const name = (number: number) => number.toString(16).padStart(32, "0");
      const tokenOf = (number: number) => ({
        fingerprint: name(number),
        lineage: name(1),
        generation: number,
      });
      const list = openSpentList(path);
      await list.add(tokenOf(0));
      const line = await readFile(path, "utf8");
      const lines = Array.from({ length: 2 * MAX_SPENT_TOKENS - 1 }, (_, at) =>
        line.replace(name(0), name(at)).replace(/0\n$/, `${at}\n`),
      );
      await writeFile(path, `${lines.join("")}${name(9)} ${name(1)}`, { mode: 0o600 });

      const newest = 2 * MAX_SPENT_TOKENS - 1;
      await list.add(tokenOf(newest));
      expect(await list.find(name(0))).toEqual(tokenOf(0));
      await list.add(tokenOf(newest + 1));
      for (const kept of [newest, newest + 1]) expect(await list.find(name(kept))).toEqual(tokenOf(kept));
      expect(await list.find(name(0))).toBeUndefined();
      expect((await readFile(path, "utf8")).trim().split("\n")).toHaveLength(MAX_SPENT_TOKENS);
    },
  );
});
