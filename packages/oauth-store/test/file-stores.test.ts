import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createAggregateFileStore,
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

  it("finds an entry by what is in it, and writes it where it is", async () => {
    const entry = { server_name: SERVER.serverName, server_url: SERVER.serverUrl, access_token: "x" };
    await home.write(".credentials.json", JSON.stringify({ "some other name": entry }));
    expect(await store.read(KEY)).toEqual(entry);
    await store.update(KEY, (current) => ({ write: { ...(current as object), access_token: "y" } }));
    expect(JSON.parse(await text())).toEqual({ "some other name": { ...entry, access_token: "y" } });
  });

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

  it("removes the file with its last entry", async () => {
    await store.update(KEY, () => ({ write: { a: 1 } }));
    await store.update(KEY, () => "remove");
    expect(await readdir(home.path)).toEqual(["locks"]);
    expect(await store.read(KEY)).toBeUndefined();
  });

  it(
    "waits for a writer that truncates in place, and does not call its half a file corrupt",
    proves("oauth-store/corrupt-store"),
    async () => {
      await store.update(KEY, () => ({ write: { a: 1 } }));
      const whole = await text();
      const lock = await flockProvider().acquire(home.file("locks", "file-store.lock"));
      await writeFile(path, whole.slice(0, 5));
      const reading = store.read(KEY);
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
      expect(modes).toEqual([0o600, 0o600]);
      expect(await readFile(home.file("f"), "utf8")).toBe("new");
    },
  );
});
