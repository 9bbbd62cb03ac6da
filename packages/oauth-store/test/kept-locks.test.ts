import { readdir } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider } from "../src/index.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("a lock that somebody keeps", () => {
  it(
    "past the limit is named, changes nothing, and does not keep a valid token from being used",
    proves("oauth-store/lock-kept"),
    async () => {
      const { tokens, save, stored, session, home } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, 20_000));
      const mine = session({ locks: hastyLocks() });
      await mine.ensureFresh();
      await mine.settle();
      const b = await mine.ensureFresh();
      const [name = ""] = await readdir(home.file("locks"));
      const kept = await flockProvider().acquire(home.file("locks", name));
      await expect(mine.recover(b)).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        retry: "after",
        message: expect.stringContaining(name),
      });
      const before = tokens.authority.presented.length;
      const again = tokens.authority.login();
      await save(credentialOf(again, 20_000));
      expect((await session({ locks: hastyLocks() }).ensureFresh()).view.accessToken).toBe(again.accessToken);
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect((await mine.status()).state).toBe("usable");
      expect(tokens.authority.presented).toHaveLength(before);
      kept.release();
    },
  );

  it(
    "does not lose a login that could not wait for it: it is served, and saved afterwards",
    proves("oauth-store/lock-kept", "oauth-store/login-wins"),
    async () => {
      const { tokens, save, stored, session, home, events } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session({ locks: hastyLocks() });
      await mine.recover(await mine.ensureFresh());
      const [name = ""] = await readdir(home.file("locks"));
      const kept = await flockProvider().acquire(home.file("locks", name));
      const again = tokens.authority.login();
      const handle = await mine.login(credentialOf(again, HOUR));
      expect(handle.view.accessToken).toBe(again.accessToken);
      expect(events).toContainEqual({ type: "unpersisted", code: "ERR_OAUTH_STORE_LOCK_TIMEOUT" });
      expect(await mine.ensureFresh()).toBe(handle);
      expect((await stored())?.accessToken).not.toBe(again.accessToken);
      kept.release();
      await expect.poll(async () => (await stored())?.accessToken).toBe(again.accessToken);
    },
  );
});

describe("reading", () => {
  it(
    "takes no lock: a fresh token, the status and the explanation are there while somebody keeps all of them",
    proves("oauth-store/reading-takes-no-lock"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session();
      await mine.refresh();
      const names = (await readdir(home.file("locks"))).map((name) => home.file("locks", name));
      names.push(home.file("mcp-oauth-locks", "file-store.lock"));
      const kept = await Promise.all(names.map((name) => flockProvider().acquire(name)));
      for (const one of [mine, session()]) {
        expect((await one.ensureFresh()).generation).toBe(1);
        expect((await one.status()).state).toBe("usable");
        expect((await one.explain()).verdict).toBe("working");
      }
      for (const lock of kept) lock.release();
    },
  );
});
