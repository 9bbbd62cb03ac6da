import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createAggregateFileStore,
  createEncryptedFileStore,
  createSingleFileStore,
  flockProvider,
  writeFileAtomic,
} from "../src/index.ts";
import { KEY, SERVER } from "./support/memory-setting.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";

let home: TemporaryHome;
let path: string;
let store: CredentialStore;
beforeEach(async () => {
  home = await temporaryHome();
  path = home.file(".credentials.json");
  store = createAggregateFileStore({ path, lockPath: home.file("locks", "file-store.lock") });
});
afterEach(() => home.remove());

const text = () => readFile(path, "utf8");

describe(createAggregateFileStore, () => {
  it(
    "keeps what it does not know, also an entry and a member named __proto__",
    proves("oauth-store/entries-kept"),
    async () => {
      await home.write(
        ".credentials.json",
        '{"__proto__":{"access_token":"x","nested":{"a":[1]}},"other|1":{"unknown":true,"__proto__":1}}',
      );
      await store.update(KEY, () => ({ write: { a: 1 } }));
      expect(await text()).toBe(
        `{"__proto__":{"access_token":"x","nested":{"a":[1]}},"other|1":{"unknown":true,"__proto__":1},"${KEY}":{"a":1}}`,
      );
      expect(await store.read("__proto__")).toEqual({ access_token: "x", nested: { a: [1] } });
      expect(await store.read("constructor")).toBeUndefined();
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    },
  );

  const entry = {
    server_name: SERVER.serverName,
    server_url: SERVER.serverUrl,
    access_token: "x",
    added_later: [1],
  };

  it(
    "finds an entry by the name and URL in it, and writes it where it is",
    proves("oauth-store/entry-found"),
    async () => {
      const near = {
        a: { ...entry, server_name: `${SERVER.serverName}2` },
        b: { ...entry, server_url: `${SERVER.serverUrl}/` },
        c: { ...entry, server_url: undefined },
        d: "no entry",
        e: null,
      };
      await home.write(".credentials.json", JSON.stringify(near));
      expect(await store.read(KEY)).toBeUndefined();
      await home.write(".credentials.json", JSON.stringify({ ...near, "some other name": entry }));
      expect(await store.read(KEY)).toEqual(entry);
      await store.update(KEY, (current) => ({ write: { ...(current as object), access_token: "y" } }));
      const kept = JSON.parse(JSON.stringify(near));
      expect(JSON.parse(await text())).toEqual({
        ...kept,
        "some other name": { ...entry, access_token: "y" },
      });
    },
  );

  it(
    "does not take an executor's entry of the same server for its own, nor touch it",
    proves("oauth-store/entry-found"),
    async () => {
      const executors = { [KEY.replace("|", ":")]: { ...entry, executor_owned: true } };
      await home.write(".credentials.json", JSON.stringify(executors));
      expect(await store.read(KEY)).toBeUndefined();
      await store.update(KEY, () => ({ write: { a: 1 } }));
      expect(JSON.parse(await text())).toEqual({ ...executors, [KEY]: { a: 1 } });
      await store.update(KEY, () => "remove");
      expect(JSON.parse(await text())).toEqual(executors);
    },
  );

  it(
    "removes a credential under every name it stands, so that none is found in its place",
    proves("oauth-store/entry-found"),
    async () => {
      const { server_name: _, ...nameless } = entry;
      const all = { "some other name": entry, [KEY]: entry, "a third": entry, "other|1": nameless };
      await home.write(".credentials.json", JSON.stringify(all));
      await store.update(KEY, () => "remove");
      expect(JSON.parse(await text())).toEqual({ "other|1": nameless });
    },
  );

  it("loses no entry of 40 concurrent writers", proves("oauth-store/entries-kept"), async () => {
    const stores = Array.from({ length: 8 }, () =>
      createAggregateFileStore({ path, lockPath: home.file("locks", "file-store.lock") }),
    );
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        stores[n % 8]?.update(`server-${n}|0`, () => ({ write: { access_token: `t${n}` } })),
      ),
    );
    expect(Object.keys(JSON.parse(await text()))).toHaveLength(40);
  });

  it("removes the file with its last entry, and not before", proves("oauth-store/entries-kept"), async () => {
    await store.update(KEY, () => ({ write: { a: 1 } }));
    await store.update("other|1", () => ({ write: null }));
    await store.update(KEY, () => "remove");
    expect(await text()).toBe('{"other|1":null}');
    await store.update("other|1", () => "remove");
    expect(await readdir(home.path)).toEqual(["locks"]);
    expect(await store.read(KEY)).toBeUndefined();
    // Nothing to remove is no reason to make a file.
    await store.update(KEY, () => "remove");
    expect(await readdir(home.path)).toEqual(["locks"]);
  });

  it.each([
    ["aggregate", 0],
    ["aggregate", 5],
    ["single", 0],
    ["single", 5],
  ])(
    "waits for a writer that truncates in place, and does not call its half a file corrupt: %s, %i bytes",
    proves("oauth-store/corrupt-store"),
    async (which, length) => {
      const lockPath = home.file("locks", "file-store.lock");
      const one = which === "single" ? createSingleFileStore({ path, lockPaths: [lockPath] }) : store;
      await one.update(KEY, () => ({ write: { a: 1 } }));
      const whole = await text();
      const lock = await flockProvider().acquire(lockPath);
      await writeFile(path, whole.slice(0, length));
      let read = false;
      const reading = one.read(KEY).finally(() => {
        read = true;
      });
      await one.update(KEY, () => "keep", { lockTimeoutMs: 20 }).catch(() => {}); // As long as it takes.
      expect(read).toBe(false);
      await writeFile(path, whole);
      lock.release();
      expect(await reading).toEqual({ a: 1 });
    },
  );

  it(
    "reports a file that stays broken, and moves it aside only when told to",
    proves("oauth-store/corrupt-store"),
    async () => {
      await home.write(".credentials.json", '{"broken');
      await expect(store.read(KEY)).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_CORRUPT" });
      await expect(store.update(KEY, () => ({ write: {} }))).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_CORRUPT",
      });
      expect(await text()).toBe('{"broken');
      await store.update(KEY, () => ({ write: { a: 1 } }), { quarantine: true });
      expect(await store.read(KEY)).toEqual({ a: 1 });
    },
  );

  it.each(["aggregate", "single"])(
    "moves a broken file aside as it is, for its owner only: %s",
    proves("oauth-store/corrupt-store"),
    async (which) => {
      await writeFile(path, '{"broken', { mode: 0o644 });
      const broken = which === "single" ? createSingleFileStore({ path }) : store;
      await broken.update(KEY, () => ({ write: { a: 1 } }), { quarantine: true });
      const aside = (await readdir(home.path)).find((name) => name.includes(".corrupt-")) ?? "";
      expect(await readFile(home.file(aside), "utf8")).toBe('{"broken');
      expect((await stat(home.file(aside))).mode & 0o777).toBe(0o600);
    },
  );

  it.each(["aggregate", "single"])(
    "calls a file corrupt that is larger than anything written here, which a login moves aside: %s",
    proves("oauth-store/corrupt-store"),
    async (which) => {
      await writeFile(path, Buffer.alloc(16 * 1024 * 1024 + 1, " "), { mode: 0o600 });
      const huge = which === "single" ? createSingleFileStore({ path }) : store;
      const corrupt = { code: "ERR_OAUTH_STORE_CORRUPT" };
      await expect(huge.read(KEY)).rejects.toMatchObject(corrupt);
      await expect(huge.update(KEY, () => ({ write: 1 }))).rejects.toMatchObject(corrupt);
      await huge.update(KEY, () => ({ write: { a: 1 } }), { quarantine: true });
      expect(await huge.read(KEY)).toEqual({ a: 1 });
    },
  );

  it(
    "refuses, before anything is spent, what it could write and never read again",
    proves("oauth-store/rehearsed"),
    async () => {
      const huge = "x".repeat(16 * 1024 * 1024);
      const refused = { code: "ERR_OAUTH_STORE_NOT_WRITABLE", reason: "too-large" };
      await expect(store.rehearse(KEY, huge)).rejects.toMatchObject(refused);
      await expect(store.update(KEY, () => ({ write: huge }))).rejects.toMatchObject(refused);
      expect(await readdir(home.path)).toEqual(["locks"]);
    },
  );

  it("calls a file corrupt that is nested too deeply to be written again", async () => {
    await home.write(".credentials.json", `{"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`);
    await expect(store.rehearse(KEY, { a: 1 })).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_CORRUPT" });
  });

  it("rehearsal changes nothing anybody reads", async () => {
    await store.update(KEY, () => ({ write: { a: 1 } }));
    const before = await text();
    await store.rehearse(KEY, { a: 2, big: "x".repeat(100_000) });
    expect(await text()).toBe(before);
    expect(await readdir(home.path)).toEqual([".credentials.json", "locks"]);
  });
});

describe("JSON that was made to stop the loop or to change what objects are", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

  it(
    "is read up to the depth of the store, and called corrupt beyond",
    proves("oauth-store/nested-deep"),
    async () => {
      const single = createSingleFileStore({ path: home.file("auth.json") });
      await home.write(".credentials.json", `{"${KEY}":${nested(255)}}`);
      await home.write("auth.json", nested(64));
      for (const one of [store, single]) expect(JSON.stringify(await one.read(KEY))).toMatch(/^\[+\]+$/);
      for (const levels of [1, 5_000_000]) {
        await home.write(".credentials.json", `{"${KEY}":${nested(255 + levels)}}`);
        await home.write("auth.json", nested(64 + levels));
        for (const one of [store, single]) {
          await expect(one.read(KEY)).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_CORRUPT" });
        }
      }
    },
  );

  it.each(["aggregate", "single", "encrypted"])(
    "changes no prototype, and is kept as it is: %s",
    proves("oauth-store/entries-kept"),
    async (which) => {
      const made =
        which === "aggregate"
          ? store
          : which === "single"
            ? createSingleFileStore({ path })
            : createEncryptedFileStore({
                path,
                lockPath: home.file("locks", "a.lock"),
                key: { file: home.file("a.key") },
              });
      const hostile = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":0}';
      await made.update(KEY, () => ({ write: JSON.parse(hostile) }));
      expect(JSON.stringify(await made.read(KEY))).toBe(hostile);
      await made.update(KEY, (current) => ({ write: current ?? null }));
      expect(JSON.stringify(await made.read(KEY))).toBe(hostile);
      if (which !== "single") {
        await made.update("__proto__", () => ({ write: { polluted: 1 } }));
        await made.update("constructor", () => "remove");
        expect(await made.read("__proto__")).toEqual({ polluted: 1 });
        expect(await made.read("toString")).toBeUndefined();
        await made.update("__proto__", () => "remove");
        expect(await made.read("__proto__")).toBeUndefined();
      }
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    },
  );
});

describe(createSingleFileStore, () => {
  it("prints two spaces, follows one link to its target, and locks beside the target", async () => {
    await home.write("real-auth.json", '{"a":1}');
    await symlink(home.file("real-auth.json"), home.file("auth.json"));
    const single = createSingleFileStore({ path: home.file("auth.json") });
    expect(await single.read("any")).toEqual({ a: 1 });
    await single.update("any", (current) => ({ write: { ...(current as object), b: [2] } }));
    expect(await readFile(home.file("real-auth.json"), "utf8")).toBe('{\n  "a": 1,\n  "b": [\n    2\n  ]\n}');
    expect((await readdir(home.path)).sort()).toEqual(["auth.json", "real-auth.json", "real-auth.json.lock"]);
    await single.update("any", () => "remove");
    expect(await single.read("any")).toBeUndefined();
  });

  it("takes its locks in the order given", async () => {
    const order = [home.file("first.lock"), home.file("second.lock")];
    const single = createSingleFileStore({ path: home.file("auth.json"), lockPaths: order });
    const lock = await flockProvider().acquire(order[1] ?? "");
    await expect(single.update("any", () => ({ write: 1 }), { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
    });
    // The first was given back when the second could not be had.
    (await flockProvider().acquire(order[0] ?? "", { timeoutMs: 0 })).release();
    lock.release();
    await single.update("any", () => ({ write: 1 }));
    expect(await single.read("any")).toBe(1);
  });
});

describe(writeFileAtomic, () => {
  it.each(["file/temporary-written", "file/renamed"])(
    "killed at %s, leaves a whole file, and the next writer sweeps what it left",
    { ...proves("oauth-store/atomic-write"), timeout: LONG ? 300_000 : 20_000 },
    async (point) => {
      const big = { text: "x".repeat(50_000) };
      await store.update("other|1", () => ({ write: big }));
      for (let kill = 0; kill < (LONG ? 100 : 1); kill += 1) {
        const child = spawnChild({
          script: new URL("./children/store-child.ts", import.meta.url),
          args: [home.path, `killed|${kill}`],
          arm: [point],
        });
        await child.reached(point);
        await child.kill();
        expect(JSON.parse(await text())["other|1"]).toEqual(big);
        await store.update("after|1", () => ({ write: { kill } }));
        expect((await readdir(home.path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      }
    },
  );

  it(
    "is 0600 from its creation, whatever stood there before",
    proves("oauth-store/atomic-write"),
    async () => {
      await writeFile(home.file("f"), "old", { mode: 0o644 });
      const modes: number[] = [];
      await writeFileAtomic(home.file("f"), "new", {
        faultPoint: async (name) => {
          const names = await readdir(home.path);
          const file = name === "file/renamed" ? "f" : names.find((one) => one.endsWith(".tmp"));
          modes.push((await stat(home.file(file ?? ""))).mode & 0o777);
        },
      });
      expect(new Set(modes)).toEqual(new Set([0o600]));
      expect(await readFile(home.file("f"), "utf8")).toBe("new");
    },
  );
});
