import { appendFile, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { createCredentialSession, oauthCredential } from "../src/index.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY, type Setting } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import type { RotatingAuthority } from "./support/rotating-authority.ts";

const SUPERSEDED = expect.objectContaining({ code: "ERR_OAUTH_STORE_SUPERSEDED" });

/** A login that a session has refreshed so many times; the first of its tokens, and the session. */
async function refreshed({ authority, session }: Pick<Setting, "authority" | "session">, times: number) {
  const first = credentialOf(authority.login());
  const holder = session();
  await holder.login(first);
  for (let done = 0; done < times; done += 1) await holder.refresh();
  return { first, holder };
}

function expectEachSentOnce({ presented, revokedFamilies }: RotatingAuthority, sends: number): void {
  expect(presented).toHaveLength(sends);
  expect(new Set(presented).size).toBe(sends);
  expect(revokedFamilies.size).toBe(0);
}

describe.each(bothSettings)("a store that went back %s", (_where, newSetting) => {
  it.each([2, 16, 17, 18])(
    "by %i refreshes is written again by the session that holds the newest",
    proves("oauth-store/store-went-back"),
    async (times) => {
      const setting = newSetting();
      const { first, holder } = await refreshed(setting, times);
      await setting.save(first);
      expect((await holder.refresh()).generation).toBe(times + 1);
      expect(setting.events).toContainEqual(expect.objectContaining({ type: "restored", generation: times }));
      expect(setting.authority.isLive((await setting.stored())?.refreshToken)).toBe(true);
      expectEachSentOnce(setting.authority, times + 1);
    },
  );

  it.each([2, 17])(
    "by %i refreshes, with another member changed since, is written again all the same, and keeps that member",
    proves("oauth-store/store-went-back"),
    async (times) => {
      const setting = newSetting();
      const { first, holder } = await refreshed(setting, times);
      const entry = oauthCredential.serialize(first) as object;
      await setting.store.update(KEY, () => ({ write: { ...entry, their_member: 1 } }));
      expect((await holder.refresh()).generation).toBe(times + 1);
      expect(await setting.store.read(KEY)).toMatchObject({ their_member: 1 });
      expect(setting.authority.isLive((await setting.stored())?.refreshToken)).toBe(true);
      expectEachSentOnce(setting.authority, times + 1);
    },
  );

  it.each([2, 17])(
    "by %i refreshes, with nobody to write it again, is called superseded and nothing is sent",
    proves("oauth-store/store-went-back"),
    async (times) => {
      const setting = newSetting();
      const { first } = await refreshed(setting, times);
      await setting.save(first);
      const next = setting.session();
      await expect(next.ensureFresh()).rejects.toEqual(SUPERSEDED);
      expect((await next.explain()).verdict).toBe("superseded");
      expect(await next.status()).toMatchObject({ state: "unusable", failure: { permanent: true } });
      expectEachSentOnce(setting.authority, times);
    },
  );

  it.each([1, 17])(
    "by a login with the very token that was spent %i refreshes ago is in order: it was issued anew",
    proves("oauth-store/spent-remembered", "oauth-store/login-wins"),
    async (times) => {
      const setting = newSetting();
      const { first, holder } = await refreshed(setting, times);
      issueAgain(setting.authority, first.refreshToken);
      await holder.login(first);
      expect((await setting.session().refresh()).generation).toBe(1);
      expect(setting.authority.presented.at(-1)).toBe(first.refreshToken);
      expect(setting.authority.presented).toHaveLength(times + 1);
    },
  );

  it.each([1, 17])(
    "by a server that issues the token again which was spent %i refreshes ago is in order",
    proves("oauth-store/spent-remembered"),
    async (times) => {
      const setting = newSetting();
      const { first, holder } = await refreshed(setting, times);
      issueAgain(setting.authority, first.refreshToken);
      setting.authority.mischief.push({
        json: { access_token: "issued-with-it", refresh_token: first.refreshToken, expires_in: 3600 },
      });
      await holder.refresh();
      expect((await setting.session().refresh()).generation).toBe(times + 2);
      expect(setting.authority.presented.at(-1)).toBe(first.refreshToken);
      expect(setting.authority.presented).toHaveLength(times + 2);
    },
  );
});

/** The server's own rows: this token is good, and was never used. */
function issueAgain({ live, used }: RotatingAuthority, refreshToken = ""): void {
  live.set(refreshToken, used.get(refreshToken) ?? "");
  used.delete(refreshToken);
}

describe(createCredentialSession, () => {
  const spentPath = async ({ home }: HomeSetting) =>
    join(dirname((await recordPaths(home))[0] ?? ""), "spent");
  const linesOf = async (path: string) => (await readFile(path, "utf8")).split("\n").filter((line) => line);

  it(
    "remembers what was spent for other processes, too",
    proves("oauth-store/spent-remembered", "oauth-store/records-know-no-store"),
    async () => {
      await using setting = await homeSetting();
      const { authority } = setting.tokens;
      const first = credentialOf(authority.login());
      await setting.save(first);
      const restore = await backUp(setting.path);
      const one = setting.another();
      await one.ensureFresh();
      for (let more = 1; more < 17; more += 1) await one.refresh();
      await one.close();
      await restore();
      await expect(setting.another().ensureFresh()).rejects.toEqual(SUPERSEDED);
      expectEachSentOnce(authority, 17);
    },
  );

  it(
    "forgets the oldest of 2,048 spent tokens and more, down to the latest 1,024",
    proves("oauth-store/spent-remembered"),
    async () => {
      await using setting = await homeSetting();
      const { authority } = setting.tokens;
      const { first, holder } = await refreshed({ authority, session: setting.session }, 17);
      const path = await spentPath(setting);
      const ours = await readFile(path, "utf8");
      const older = (at: number) => `${at.toString(16).padStart(32, "0")} ${"e".repeat(32)} 1\n`;
      await writeFile(path, Array.from({ length: 2047 }, (_, at) => older(at)).join("") + ours);
      await holder.refresh();

      const kept = await linesOf(path);
      expect(kept).toHaveLength(1024);
      expect(kept[0]).toBe(older(2047 - 1022).trim());
      await setting.save(first);
      await expect(setting.session().ensureFresh()).rejects.toEqual(SUPERSEDED);
      expectEachSentOnce(authority, 18);
    },
  );

  it(
    "reads past a line that a process was killed in, and loses neither the one before nor the one after",
    proves("oauth-store/spent-remembered"),
    async () => {
      await using setting = await homeSetting();
      const { authority } = setting.tokens;
      const { first, holder } = await refreshed({ authority, session: setting.session }, 17);
      const second = { ...first, refreshToken: authority.presented[1] };
      await appendFile(await spentPath(setting), `\n${"0".repeat(32)} ${"e".repeat(9)}`);
      await holder.refresh();

      for (const copy of [first, second]) {
        await setting.save(copy);
        await expect(setting.session().ensureFresh()).rejects.toEqual(SUPERSEDED);
      }
      expectEachSentOnce(authority, 18);
    },
  );
});
