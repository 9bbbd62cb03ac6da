import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { inspect } from "node:util";
import { expectNoSecret, proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createEncryptedFileStore,
  flockProvider,
  type KeyringProvider,
  type LockProvider,
} from "../src/index.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { noBus, scriptedKeyring } from "./support/scripted-keyring.ts";

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

const path = () => home.file("credentials.enc");
const keyPath = () => home.file("keys", "file.key");
const open = () =>
  createEncryptedFileStore({
    path: path(),
    lockPath: home.file("locks", "secrets-store.lock"),
    key: { file: keyPath() },
  });
const undecryptable = (reason: string) => ({ code: "ERR_OAUTH_STORE_UNDECRYPTABLE", retry: "never", reason });
const SECRET = "planted-secret-in-the-file";

describe(createEncryptedFileStore, () => {
  it(
    "makes its key with the first credential, and shows neither",
    proves("oauth-store/encrypted-file", "oauth-store/no-secret-shown"),
    async () => {
      const store = open();
      expect(await store.read(KEY)).toBeUndefined();
      await store.rehearse(KEY, SECRET);
      expect(await readdir(home.path)).toEqual([]);
      await store.update(KEY, () => ({ write: SECRET }));
      const key = (await readFile(keyPath(), "utf8")).trim();
      expect((await stat(keyPath())).mode & 0o777).toBe(0o600);
      const text = await readFile(path(), "utf8");
      expect(Object.keys(JSON.parse(text))).toEqual(["version", "cipher", "key", "salt", "nonce", "data"]);
      expectNoSecret([text, store, inspect(store, { depth: null, showHidden: true })], [SECRET, key, KEY]);
      expect(await open().read(KEY)).toBe(SECRET);
    },
  );

  it(
    "writes every text under a salt and a nonce of its own",
    proves("oauth-store/encrypted-file"),
    async () => {
      const store = open();
      const seen: string[] = [];
      for (let n = 0; n < 3; n += 1) {
        await store.update(KEY, () => ({ write: SECRET }));
        const { salt, nonce, data } = JSON.parse(await readFile(path(), "utf8"));
        seen.push(salt, nonce, data);
      }
      expect(new Set(seen).size).toBe(9);
    },
  );

  it(
    "that does not open is neither absent nor written over nor moved aside, and its key is not made anew",
    proves("oauth-store/undecryptable"),
    async () => {
      await open().update(KEY, () => ({ write: SECRET }));
      const whole = await readFile(path(), "utf8");
      const envelope = JSON.parse(whole);
      const flipped = Buffer.from(envelope.data, "base64");
      flipped[3] = (flipped[3] ?? 0) ^ 1;
      const otherKey = Buffer.alloc(32, 7).toString("base64");
      const cases: [reason: string, breakIt: () => Promise<unknown>][] = [
        ["key-missing", () => rm(keyPath())],
        ["other-key", () => writeFile(keyPath(), otherKey, { mode: 0o600 })],
        ["no-key", () => writeFile(keyPath(), "short", { mode: 0o600 })],
        [
          "damaged",
          () =>
            writeFile(path(), JSON.stringify({ ...envelope, data: flipped.toString("base64") }), {
              mode: 0o600,
            }),
        ],
      ];
      const key = await readFile(keyPath());
      for (const [reason, breakIt] of cases) {
        await breakIt();
        const there = await readFile(path(), "utf8");
        const store = open();
        await expect(store.read(KEY)).rejects.toMatchObject(undecryptable(reason));
        for (const quarantine of [false, true]) {
          await expect(store.update(KEY, () => ({ write: "new" }), { quarantine })).rejects.toMatchObject(
            undecryptable(reason),
          );
          await expect(store.update(KEY, () => "remove", { quarantine })).rejects.toMatchObject(
            undecryptable(reason),
          );
        }
        await expect(store.rehearse(KEY, "new")).rejects.toMatchObject(undecryptable(reason));
        expect(await readFile(path(), "utf8")).toBe(there);
        await writeFile(path(), whole, { mode: 0o600 });
        await writeFile(keyPath(), key, { mode: 0o600 });
        expect(await store.read(KEY)).toBe(SECRET);
      }
      expect((await readdir(home.path)).sort()).toEqual(["credentials.enc", "keys", "locks"]);
    },
  );

  it("tells a session so: no login is asked for", proves("oauth-store/undecryptable"), async () => {
    const setting = memorySetting({ store: open(), home: home.path });
    await setting.save(credentialOf(setting.authority.login()));
    await rename(keyPath(), `${keyPath()}.away`);
    const session = memorySetting({ store: open(), home: home.path }).session();
    await expect(session.ensureFresh()).rejects.toMatchObject(undecryptable("key-missing"));
    expect(await session.logout()).toMatchObject({
      removed: false,
      failures: [{ code: "ERR_OAUTH_STORE_UNDECRYPTABLE" }],
    });
    await rename(`${keyPath()}.away`, keyPath());
    expect((await setting.session().ensureFresh()).generation).toBe(1);
  });

  it.each([
    ["an age file", "age-encryption.org/v1\n-> scrypt …", "age"],
    ["an armoured age file", "-----BEGIN AGE ENCRYPTED FILE-----\n…", "age"],
    ["a newer version of the format", '{"version":2,"cipher":"other"}', "newer"],
  ])(
    "%s is unsupported, and left alone",
    proves("oauth-store/unsupported-format"),
    async (_, text, reason) => {
      await home.write("credentials.enc", text);
      const unsupported = { code: "ERR_OAUTH_STORE_UNSUPPORTED", retry: "never", reason };
      await expect(open().read(KEY)).rejects.toMatchObject(unsupported);
      await expect(open().rehearse(KEY, 1)).rejects.toMatchObject(unsupported);
      await expect(open().update(KEY, () => ({ write: 1 }), { quarantine: true })).rejects.toMatchObject(
        unsupported,
      );
      expect(await readFile(path(), "utf8")).toBe(text);
    },
  );

  describe.each([
    ["a file", () => ({ file: keyPath() })],
    [
      "the keyring",
      (provider: KeyringProvider) => ({
        keyring: { service: "S", account: "key", timeoutMs: 5000, provider },
      }),
    ],
  ])("two files that share a key in %s", (_, place) => {
    it(
      "can both be opened, though both are first written at once",
      proves("oauth-store/one-shared-key"),
      async () => {
        const provider = scriptedKeyring();
        const names = Array.from({ length: 6 }, (_, n) => `${n}`);
        const store = (name: string) =>
          createEncryptedFileStore({
            path: home.file(`${name}.enc`),
            lockPath: home.file("locks", `${name}.lock`),
            key: place(provider),
          });
        await Promise.all(names.map((name) => store(name).update(KEY, () => ({ write: name }))));
        expect(await Promise.all(names.map((name) => store(name).read(KEY)))).toEqual(names);
      },
    );
  });

  it(
    "makes no key before one has landed that another file's store has given up",
    proves("oauth-store/one-shared-key"),
    async () => {
      const provider = scriptedKeyring();
      const store = (name: string, timeoutMs?: number, locks?: LockProvider) =>
        createEncryptedFileStore({
          path: home.file(`${name}.enc`),
          lockPath: home.file("locks", `${name}.lock`),
          key: { keyring: { service: "S", account: "key", timeoutMs, provider } },
          locks,
        });
      const land = provider.stick("set");
      await expect(store("a", 150).update(KEY, () => ({ write: "a" }))).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_KEYRING_BUSY",
      });
      const contended = Promise.withResolvers<void>();
      const real = flockProvider();
      const other = store("b", undefined, {
        ...real,
        acquire: (path, options) => real.acquire(path, { ...options, onContention: contended.resolve }),
      });
      const saving = other.update(KEY, () => ({ write: "b" }));
      await contended.promise;
      land();
      await saving;
      expect(provider.calls.filter((call) => call === "set key")).toHaveLength(1);
      expect(await store("b").read(KEY)).toBe("b");
    },
  );

  it(
    "keeps its lock until a key that was given up has landed, so that no second one is made",
    proves("oauth-store/undecryptable"),
    async () => {
      const provider = scriptedKeyring();
      const inKeyring = () =>
        createEncryptedFileStore({
          path: path(),
          lockPath: home.file("locks", "secrets-store.lock"),
          key: { keyring: { service: "S", account: "key", timeoutMs: 150, provider } },
        });
      const land = provider.stick("set");
      await expect(inKeyring().update(KEY, () => ({ write: 1 }))).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_KEYRING_BUSY",
      });
      // Before it has landed nobody gets the file's lock, and so nobody finds that there is no key.
      await expect(
        inKeyring().update(KEY, () => ({ write: 2 }), { lockTimeoutMs: 50 }),
      ).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        message: expect.stringContaining("secrets-store.lock"),
      });
      const next = inKeyring().update(KEY, () => ({ write: 2 }));
      land();
      await next;
      expect(provider.calls.filter((call) => call === "set key")).toHaveLength(1);
      expect(await inKeyring().read(KEY)).toBe(2);
      provider.failWith(noBus);
      await expect(inKeyring().read(KEY)).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
      });
    },
  );
});
