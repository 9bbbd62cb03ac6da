import { readFile, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { fileStoreAt } from "./support/file-store-at.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { uselessLocks } from "./support/useless-locks.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("two stores for one credential", () => {
  it(
    "share the records: what was spent from one is not sent from the other, which is brought forward",
    proves("oauth-store/records-know-no-store"),
    async () => {
      const { tokens, save, session, path, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const stale = home.file("credentials-stale");
      await writeFile(stale, await readFile(path), { mode: 0o600 });
      const first = session();
      const b = await first.ensureFresh();
      const elsewhere = async () => session({ store: fileStoreAt(stale, uselessLocks) });
      expect((await (await elsewhere()).ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);

      await first.recover(b);
      await first.refresh();
      await expect((await elsewhere()).refresh()).rejects.toEqual(code("SUPERSEDED"));
      expect(tokens.authority.presented).toHaveLength(3);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});
