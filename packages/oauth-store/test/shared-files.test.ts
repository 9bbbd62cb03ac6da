import { readdir, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  expectNoSecret,
  proves,
  type SpawnedChild,
  spawnChild,
  type TemporaryHome,
  temporaryHome,
} from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, flockProvider, type LockProvider, oauthCredential } from "../src/index.ts";
import { code } from "./support/code.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";

let home: TemporaryHome;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
  await home.remove();
});

describe.each([plainFile, encryptedFile])("$kind", ({ kind, open, name, lock }) => {
  const path = () => home.file(name);
  const writer = (arm: string[] = [], ...args: string[]) => {
    const child = spawnChild({
      script: new URL("./children/shared-file-child.ts", import.meta.url),
      args: [kind, home.path, ...args],
      arm,
    });
    children.push(child);
    return child;
  };
  /** The real locks, telling who had to wait. */
  function watchedLocks(): LockProvider & { readonly contended: string[] } {
    const contended: string[] = [];
    const real = flockProvider();
    return {
      ...real,
      contended,
      acquire: (at, options) => real.acquire(at, { ...options, onContention: () => contended.push(at) }),
    };
  }

  it(
    "a writer that waits for another's lock loses nothing of either",
    proves("oauth-store/contending-writers"),
    async () => {
      const locks = watchedLocks();
      const mine = open(home.path, locks);
      await mine.update("first|1", () => ({ write: "first" }));
      const other = writer(["store/locked"], "theirs|1");
      await other.reached("store/locked");
      const writing = mine.update("mine|1", () => ({ write: "mine" }));
      await expect.poll(() => locks.contended.length).toBe(1);
      other.release("store/locked");
      await writing;
      await other.exited;
      expect(await Promise.all(["first|1", "theirs|1", "mine|1"].map((key) => mine.read(key)))).toEqual([
        "first",
        "theirs",
        "mine",
      ]);
    },
  );

  it(
    "a read that meets half a file, and a removal, wait for the writer and see what it wrote",
    proves("oauth-store/contending-readers"),
    async () => {
      const locks = watchedLocks();
      const mine = open(home.path, locks);
      await mine.update("a|1", () => ({ write: "old" }));
      await mine.update("b|1", () => ({ write: "old" }));
      const whole = await readFile(path());
      // Another program in the middle of writing in place, under the lock.
      const held = await flockProvider().acquire(home.file("locks", lock));
      await truncate(path(), 7);
      const reading = mine.read("a|1");
      await expect.poll(() => locks.contended).toHaveLength(1);
      const removing = mine.update("b|1", () => "remove");
      await expect.poll(() => locks.contended).toHaveLength(2);
      await writeFile(path(), whole);
      held.release();
      expect(await reading).toBe("old");
      await removing;
      expect(await mine.read("a|1")).toBe("old");
      expect(await mine.read("b|1")).toBeUndefined();
    },
  );

  const processes = LONG || kind === "plain" ? 12 : 3;
  it(`${processes} processes let loose at once leave ${processes} entries`, {
    ...proves("oauth-store/twelve-at-once"),
    timeout: 60_000,
  }, async () => {
    const keys = Array.from({ length: processes }, (_, n) => `server-${n}|0`);
    const crowd = keys.map((key) => writer([], key, "wait"));
    for (const child of crowd) await child.receive();
    for (const child of crowd) child.send("go");
    for (const child of crowd) expect(await child.exited).toEqual({ code: 0, signal: null });
    const store = open(home.path);
    expect(await Promise.all(keys.map((key) => store.read(key)))).toEqual(keys.map(() => "written"));
  });

  it("a writer killed at a random moment leaves a whole file and every entry but its own as it was", {
    ...proves("oauth-store/killed-writers"),
    timeout: LONG ? 1_800_000 : 30_000,
  }, async () => {
    const store = open(home.path);
    const kept = { text: "k".repeat(20_000) };
    await store.update("kept|1", () => ({ write: kept }));
    const keys = ["busy|1", "busy|2", "busy|3", "busy|4"].slice(0, LONG ? 4 : 2);
    for (let kills = 0; kills < (LONG ? 1000 : 2); kills += keys.length) {
      const crowd = keys.map((key) => writer([], key, "forever"));
      for (const child of crowd) await child.receive();
      for (const child of crowd) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
        await child.kill();
        expect(await store.read("kept|1")).toEqual(kept);
      }
      for (const key of keys) {
        const { round, text } = (await store.read(key)) as { round: number; text: string };
        expect(text).toHaveLength(20_000);
        expect(round).toBeGreaterThan(0);
      }
      children.length = 0;
    }
    await store.update("kept|1", () => ({ write: kept }));
    expect((await readdir(home.path)).filter((one) => one.endsWith(".tmp"))).toEqual([]);
  });

  it(
    "gives up a lock that is kept past the limit, names it, and changes nothing",
    proves("oauth-store/lock-timeout-named"),
    async () => {
      const store = open(home.path);
      await store.update(KEY, () => ({ write: "old" }));
      const before = await readFile(path());
      const held = await flockProvider().acquire(home.file("locks", lock));
      await expect(store.update(KEY, () => ({ write: "new" }), { lockTimeoutMs: 40 })).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        message: expect.stringContaining(home.file("locks", lock)),
      });
      held.release();
      expect(await readFile(path())).toEqual(before);
    },
  );

  it(
    "is 0600 from the start, and refuses a link without touching or showing what it leads to",
    proves("oauth-store/unsafe-files"),
    async () => {
      const store = open(home.path);
      await store.update(KEY, () => ({ write: "secret-of-the-entry" }));
      expect((await stat(path())).mode & 0o777).toBe(0o600);
      await store.update(KEY, () => "remove");
      const elsewhere = await home.write("elsewhere", "secret-behind-the-link");
      await symlink(elsewhere, path());
      const failures = [
        await store.read(KEY).catch((error: unknown) => error),
        await store.update(KEY, () => ({ write: "secret-of-the-entry" })).catch((error: unknown) => error),
        await store.update(KEY, () => "remove", { quarantine: true }).catch((error: unknown) => error),
        await store.rehearse(KEY, "secret-of-the-entry").catch((error: unknown) => error),
      ];
      expect(failures).toEqual(failures.map(() => code("UNSAFE_FILE")));
      expectNoSecret(failures, ["secret-behind-the-link", "secret-of-the-entry"]);
      expect(await readFile(elsewhere, "utf8")).toBe("secret-behind-the-link");
    },
  );

  it(
    "when it is broken, is called corrupt; a login and a logout move it aside and succeed",
    proves("oauth-store/corrupt-store"),
    async () => {
      for (const way of ["login", "logout"] as const) {
        await writeFile(path(), '{"broken', { mode: 0o600 });
        const setting = memorySetting({ store: open(home.path), home: home.path });
        const session = setting.session();
        expect((await session.status()).state).toBe("corrupt");
        await expect(session.ensureFresh()).rejects.toEqual(code("CORRUPT"));
        if (way === "login") await session.login(credentialOf(setting.authority.login(), 60_000));
        else expect(await session.logout()).toMatchObject({ failures: [] });
        expect((await setting.session().status()).state).toBe(way === "login" ? "usable" : "absent");
        const aside = (await readdir(home.path)).filter((one) => one.includes(".corrupt-"));
        expect(await Promise.all(aside.map((one) => readFile(join(home.path, one), "utf8")))).toContain(
          '{"broken',
        );
        await session[Symbol.asyncDispose]();
      }
    },
  );

  it(
    "a token that is still valid is used from a home without locks that nobody can write to",
    proves("oauth-store/read-only-home"),
    async () => {
      const store = open(home.path);
      const credential = oauthCredential.serialize(credentialOf({ accessToken: "valid" }, 3_600_000));
      await store.update(KEY, () => ({ write: credential }));
      const noLocks: LockProvider = {
        ...flockProvider(),
        acquire: () => Promise.reject(new Error("a read-only home has no locks")),
      };
      const session = createCredentialSession({
        kind: oauthCredential,
        store: open(home.path, noLocks),
        key: KEY,
        home: home.file("not", "there"),
        locks: noLocks,
        refreshGrant: () => Promise.reject(new Error("not called")),
      });
      expect((await session.ensureFresh()).view.accessToken).toBe("valid");
      await session[Symbol.asyncDispose]();
    },
  );
});
