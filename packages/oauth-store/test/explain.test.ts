import { readdir, readFile, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("explain", () => {
  it(
    "tells a logout here from one elsewhere, and from a removal without our lock",
    proves("oauth-store/explains"),
    async () => {
      const { tokens, save, session, store } = setting;
      expect((await session().explain()).verdict).toBe("never-logged-in");
      const mine = session();
      await mine.login(credentialOf(tokens.authority.login(), HOUR));
      expect((await mine.explain()).verdict).toBe("working");
      await mine.logout();
      expect((await mine.explain()).verdict).toBe("logged-out");
      const note = await lineageText();
      await writeFile(note.path, note.text.replace(/"pid":\d+/, '"pid":1'));
      expect((await session().explain()).verdict).toBe("logged-out-elsewhere");
      await session().login(credentialOf(tokens.authority.login(), HOUR));
      await store.update(KEY, () => "remove");
      expect((await session().explain()).verdict).toBe("removed");
      await save(credentialOf(tokens.authority.login()));
      expect((await session().ensureFresh()).generation).toBe(1);
    },
  );

  it(
    "says that a program without our lock used the same login when its token and ours are both refused",
    proves("oauth-store/explains"),
    async () => {
      const { tokens, save, session } = setting;
      const ours = tokens.authority.login("f");
      const mine = session();
      await mine.login(credentialOf(ours, -1));
      // It spends ours first; our own send is a reuse, which revokes both.
      tokens.authority.grant(ours.refreshToken);
      const theirs = tokens.authority.login("f");
      await expect(mine.ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_REFUSED" });
      await save(credentialOf(theirs));
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(await session().explain()).toMatchObject({
        verdict: "reused",
        summary: expect.stringContaining("does not take the lock"),
      });
    },
  );

  it.each(bothSettings)(
    "and the status carry the reason that the server gave, %s",
    proves("oauth-store/explains"),
    async (_where, newSetting) => {
      const store = newSetting();
      await store.save(credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }));
      await expect(store.session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect((await store.session().status()).failure).toEqual({
        code: "ERR_OAUTH_STORE_REFUSED",
        permanent: true,
        reason: "invalid_grant",
      });
      await store.save(credentialOf(store.authority.login()));
      store.authority.mischief.push({ status: 503 });
      await expect(store.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      expect((await store.session().status()).failure).toMatchObject({
        permanent: false,
        reason: "http-503",
      });
    },
  );
});

async function lineageText(): Promise<{ path: string; text: string }> {
  const [directory = ""] = await readdir(setting.home.file("spend"));
  const path = setting.home.file("spend", directory, "lineage");
  return { path, text: await readFile(path, "utf8") };
}
