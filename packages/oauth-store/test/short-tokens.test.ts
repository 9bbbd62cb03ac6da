import { readdir, readFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSpendRecords } from "../src/index.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** What stands behind the header of the only record. */
async function body(): Promise<Uint8Array> {
  const [directory = ""] = await readdir(setting.home.file("spend"));
  const names = await readdir(setting.home.file("spend", directory));
  const [record = ""] = names.filter((name) => name !== "lineage");
  return (await readFile(setting.home.file("spend", directory, record))).subarray(4096);
}

it.each([
  ["21 characters seals nothing", 21, false],
  ["22 characters seals", 22, true],
])("a refresh token of %s", proves("oauth-store/short-token-not-sealed"), async (_, length, isSealed) => {
  const { tokens, save, session, events, path } = setting;
  const refreshToken = "r".repeat(length);
  tokens.authority.live.set(refreshToken, "family");
  await save(credentialOf({ accessToken: "at-0", refreshToken }));
  let unblock = async () => {};
  const mine = session({
    faultPoint: async (name) => {
      if (name === "sealed") unblock = await blockStore(path);
    },
  });
  await mine.ensureFresh();
  expect((await body()).some((byte) => byte !== 0)).toBe(isSealed);
  const warning = { type: "unsealed", code: "short-refresh-token" };
  expect(events.filter(({ type }) => type === "unsealed")).toEqual(isSealed ? [] : [warning]);
  const records = await readSpendRecords({ home: setting.home.path, key: KEY });
  expect(records).toMatchObject([{ state: isSealed ? "sealed" : "held" }]);
  await unblock();
  await mine.settle();
  expect(tokens.authority.presented).toEqual([refreshToken]);
});
