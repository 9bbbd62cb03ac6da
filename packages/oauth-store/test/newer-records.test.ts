import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSpendRecords } from "../src/index.ts";
import { decodeHeader, HEADER_BYTES } from "../src/record-codec.ts";
import { code } from "./support/code.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** What a later version may do to a header: give it another number, or say in it what this one does not know. */
const WAYS = [
  ["of another number", 2, { version: 2 }],
  ["in another state", 1, { state: "delegated" }],
] as const;

/** Writes the one record as a newer version would have, and returns a look at what is in it now. */
async function makeNewer(version: number, changes: object): Promise<() => Promise<Buffer>> {
  const [path = ""] = await recordPaths(setting.home);
  const bytes = await readFile(path);
  const json = JSON.stringify({ ...Object(decodeHeader(bytes)), ...changes });
  const checksum = createHash("sha256").update(json).digest("hex");
  bytes.fill(0, 0, HEADER_BYTES);
  bytes.write(`hawser-spend ${version} ${checksum}\n${json}\n`);
  await writeFile(path, bytes);
  return async () => {
    expect(await recordPaths(setting.home)).toContain(path);
    return readFile(path);
  };
}

describe("a record that a newer version wrote", () => {
  it.each(WAYS)(
    "%s, of the stored refresh token keeps that from being sent, and is left alone",
    proves("oauth-store/newer-records"),
    async (_what, version, changes) => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      await session().ensureFresh();
      await restore();
      const look = await makeNewer(version, changes);
      const before = await look();
      const next = session();
      await expect(next.ensureFresh()).rejects.toEqual(code("UNSUPPORTED"));
      await expect(next.refresh()).rejects.toEqual(code("UNSUPPORTED"));
      expect(await look()).toEqual(before);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(["login", "logout"] as const)(
    "of the stored refresh token does not stand in the way of a %s",
    proves("oauth-store/newer-records"),
    async (what) => {
      const { tokens, save, session, stored, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      await session().ensureFresh();
      await restore();
      await makeNewer(2, { version: 2 });
      const again = credentialOf(tokens.authority.login(), HOUR);
      const mine = session();
      if (what === "login") await mine.login(again);
      else expect(await mine.logout()).toMatchObject({ removed: true, failures: [] });
      expect((await stored())?.accessToken).toBe(what === "login" ? again.accessToken : undefined);
    },
  );

  it.each(WAYS)(
    "%s, of another refresh token is in nobody's way, and is left alone",
    proves("oauth-store/newer-records"),
    async (_what, version, changes) => {
      const { tokens, save, session, stored, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      await session().ensureFresh();
      const look = await makeNewer(version, changes);
      const before = await look();

      const mine = session();
      for (const generation of [2, 3]) expect((await mine.refresh()).generation).toBe(generation);
      expect(await mine.explain()).toMatchObject({ verdict: "working", spends: [{}, {}] });
      expect(await readSpendRecords({ home: home.path, key: KEY })).toHaveLength(2);
      const again = credentialOf(tokens.authority.login(), HOUR);
      const handle = await mine.login(again);
      expect((await mine.refresh()).lineage).toBe(handle.lineage);
      expect(await mine.logout()).toMatchObject({ removed: true, failures: [] });
      expect(await stored()).toBeUndefined();
      expect((await mine.explain()).verdict).toBe("logged-out");
      expect(await look()).toEqual(before);
    },
  );
});
