import { execFileSync } from "node:child_process";
import { chmod, chown, link, lstat, mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialStore, flockProvider } from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { FILE_OF, type StoreKind, storeMaker } from "./support/store-kinds.ts";

const posix = process.platform !== "win32";
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const unsafe = expect.objectContaining({ code: "ERR_OAUTH_STORE_UNSAFE_FILE" });

/** What may stand where a file of ours is expected. */
const impostors: [name: string, put: (path: string) => unknown][] = [
  [
    "a link",
    async (path) => {
      await rename(path, `${path}.real`);
      await symlink(`${path}.real`, path);
    },
  ],
  ["a file with a second name", (path) => link(path, `${path}.second`)],
  [
    "a directory",
    async (path) => {
      await rm(path);
      await mkdir(path);
    },
  ],
  [
    "a pipe",
    async (path) => {
      await rm(path);
      execFileSync("mkfifo", ["-m", "600", path]);
    },
  ],
];
const others = (path: string) => chown(path, NOBODY, NOBODY);
if (isRoot) impostors.push(["a file of somebody else's", others]);

/** What may be the matter with a directory. */
const openDirectories: [name: string, spoil: (path: string) => Promise<void>][] = [
  ["a group can write to", (path) => chmod(path, 0o720)],
  ["others can write to", (path) => chmod(path, 0o702)],
];
if (isRoot) openDirectories.push(["belongs to somebody else", others]);

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());
const open = storeMaker();

const changes = (store: CredentialStore) => [
  () => store.update(KEY, () => ({ write: "new" })),
  () => store.update(KEY, () => ({ write: "new" }), { quarantine: true }),
  () => store.update(KEY, () => "remove", { quarantine: true }),
  () => store.rehearse(KEY, "new"),
];
async function expectUnsafe(works: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const work of works) expect(await work().catch((error: unknown) => error)).toEqual(unsafe);
}

describe.skipIf(!posix).each<StoreKind>(["aggregate file", "single file", "encrypted file"])("%s", (kind) => {
  const path = () => setting.home.file(FILE_OF[kind] ?? "");

  it.each(impostors.filter(([name]) => kind !== "single file" || name !== "a link"))(
    "refuses %s in its place, and leaves it there",
    proves("oauth-store/unsafe-files"),
    async (_, put) => {
      const store = open(kind, setting.home.path);
      await store.update(KEY, () => ({ write: "old" }));
      await put(path());
      const before = [await lstat(path()), await readdir(setting.home.path)];
      await expectUnsafe([() => store.read(KEY), ...changes(store)]);
      const after = [await lstat(path()), await readdir(setting.home.path)];
      expect(after.map(String)).toEqual(before.map(String));
      expect((await lstat(path())).ino).toBe((before[0] as { ino: number }).ino);
    },
  );

  it.each(impostors)(
    "refuses %s in the place of its lock",
    proves("oauth-store/unsafe-files"),
    async (_, put) => {
      const store = open(kind, setting.home.path);
      await store.update(KEY, () => ({ write: "old" }));
      const lock = setting.home.file("locks", "store.lock");
      await put(lock);
      const [changing, quarantining, removing] = changes(store);
      const errors = [];
      for (const work of [changing, quarantining, removing])
        errors.push(await work?.().catch((error: { code: string }) => error.code));
      for (const code of errors) expect(code).toMatch(/UNSAFE_FILE|NOT_WRITABLE/); // A directory cannot be opened.
      expect(await store.read(KEY)).toBe("old");
    },
  );

  it.each(openDirectories)(
    "refuses a home that %s, and writes nothing there",
    proves("oauth-store/unsafe-files"),
    async (_, spoil) => {
      const store = open(kind, setting.home.path);
      await store.update(KEY, () => ({ write: "old" }));
      const before = await readdir(setting.home.path, { recursive: true });
      await spoil(setting.home.path);
      await expectUnsafe(changes(store));
      await chown(setting.home.path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
      await chmod(setting.home.path, 0o700);
      expect(await readdir(setting.home.path, { recursive: true })).toEqual(before);
      expect(await store.read(KEY)).toBe("old");
    },
  );
});

describe.skipIf(!posix)("the key of an encrypted file", () => {
  it.each(impostors)("is refused where it is %s", proves("oauth-store/unsafe-files"), async (_, put) => {
    const store = open("encrypted file", setting.home.path);
    await store.update(KEY, () => ({ write: "old" }));
    await put(setting.home.file("credentials.key"));
    const anew = open("encrypted file", setting.home.path);
    await expectUnsafe([() => anew.read(KEY), ...changes(anew)]);
    expect(await store.read(KEY)).toBe("old");
  });
});

describe.skipIf(!posix)("a session", () => {
  it.each(openDirectories)(
    "spends nothing when the directory of its records %s",
    proves("oauth-store/unsafe-files"),
    async (_, spoil) => {
      const { home, tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const mine = session();
      await mine.ensureFresh();
      const [name = ""] = await readdir(home.file("spend"));
      await spoil(home.file("spend", name));
      await expect(session().refresh()).rejects.toEqual(unsafe);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(impostors)(
    "spends nothing under a lock that is %s",
    proves("oauth-store/unsafe-files"),
    async (_, put) => {
      const { home, tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      await session().ensureFresh();
      const [name = ""] = await readdir(home.file("locks"));
      await put(home.file("locks", name));
      await expect(session().refresh()).rejects.toMatchObject({
        code: expect.stringMatching(/UNSAFE_FILE|NOT_WRITABLE/),
      });
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

it.skipIf(!posix).each(openDirectories)(
  "a lock is not taken in a directory that %s",
  proves("oauth-store/unsafe-files"),
  async (_, spoil) => {
    const path = setting.home.file("made", "by", "a.lock");
    (await flockProvider().acquire(path)).release();
    await spoil(dirname(path));
    await expect(flockProvider().acquire(path)).rejects.toEqual(unsafe);
    await rm(dirname(path), { recursive: true });
    await mkdir(dirname(path), { mode: 0o700 });
    await spoil(dirname(path));
    await expect(flockProvider().acquire(path)).rejects.toEqual(unsafe);
  },
);
