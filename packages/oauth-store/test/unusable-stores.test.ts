import { link, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "a login takes the place of a store that cannot be read, which is moved aside",
    proves("oauth-store/corrupt-store"),
    async () => {
      const { tokens, stored, session, home, path } = setting;
      await home.write(".credentials.json", '{"half":');
      const mine = session();
      expect((await mine.status()).state).toBe("corrupt");
      expect((await mine.explain()).verdict).toBe("corrupt");
      await expect(mine.ensureFresh()).rejects.toEqual(code("CORRUPT"));
      const issued = tokens.authority.login();
      await mine.login(credentialOf(issued, HOUR));
      expect((await stored())?.accessToken).toBe(issued.accessToken);
      const names = await readdir(home.path);
      expect(names.filter((name) => name.startsWith(".credentials.json.corrupt-"))).toHaveLength(1);
      await writeFile(path, "not json", { mode: 0o600 });
      expect(await mine.logout()).toMatchObject({ failures: [] });
    },
  );

  it.each(["symlink", "second name"])(
    "refuses a store that is a %s",
    proves("oauth-store/unsafe-files"),
    async (what) => {
      const { tokens, save, session, path, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      if (what === "symlink") {
        await rename(path, home.file("elsewhere"));
        await symlink(home.file("elsewhere"), path);
      } else await link(path, home.file("elsewhere"));
      await expect(session().ensureFresh()).rejects.toEqual(code("UNSAFE_FILE"));
      expect(tokens.authority.presented).toHaveLength(0);
    },
  );
});

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it(
    "a store that cannot be read is no reason to log out or to use another",
    proves("oauth-store/store-unreadable"),
    async () => {
      let failing = false;
      const setting = newSetting({
        wrap: (inner) => ({
          ...inner,
          read: (key: string) => (failing ? Promise.reject(new Error("with a secret")) : inner.read(key)),
        }),
      });
      const { mine } = await signedIn(setting);
      const a = await mine.ensureFresh();
      failing = true;
      await expect(mine.recover(a)).rejects.toMatchObject({ reason: "store-read", retry: "after" });
      expect(setting.grants).toEqual([]);
      expect(mine.snapshot()).toBe(a);
      failing = false;
      expect((await mine.recover(a)).generation).toBe(1);
    },
  );
});
