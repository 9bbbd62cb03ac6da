import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { expectNoSecret, proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CredentialError,
  type CredentialStore,
  createKeyringStore,
  flockProvider,
  type LockProvider,
  oauthCredential,
  type ResolvedCredentialStore,
  resolveCredentialStore,
  type StoreRecipe,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { dismissed, noBus, type ScriptedKeyring, scriptedKeyring } from "./support/scripted-keyring.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });

let home: TemporaryHome;
let scripted: ScriptedKeyring;
let events: StoreResolutionEvent[];
let file: CredentialStore;
let keyring: CredentialStore;
/** Reads of the file store, by those who resolve. */
let fileReads: number;
beforeEach(async () => {
  home = await temporaryHome();
  scripted = scriptedKeyring();
  events = [];
  fileReads = 0;
  const plain = plainFile.open(home.path);
  file = {
    ...plain,
    read(key) {
      fileReads += 1;
      return plain.read(key);
    },
  };
  keyring = createKeyringStore({
    service: "S",
    lockDirectory: home.file("locks"),
    keyring: scripted,
    timeoutMs: 300,
  });
});
afterEach(() => home.remove());

const resolved = (recipe: Partial<StoreRecipe> = {}): ResolvedCredentialStore =>
  resolveCredentialStore({ mode: "auto", file, keyring, onEvent: (event) => events.push(event), ...recipe });
const put = (store: CredentialStore, text: string) => store.update(KEY, () => ({ write: text }));
const told = () => events.map((event) => ("reason" in event ? event.reason : event.type));

describe(resolveCredentialStore, () => {
  describe("loading", () => {
    it(
      "takes the keyring's entry, though the file has one too",
      proves("oauth-store/auto-load"),
      async () => {
        await put(keyring, "K");
        await put(file, "F");
        const store = resolved();
        expect(store.resolution(KEY)).toBeUndefined();
        expect(await store.read(KEY)).toBe("K");
        expect(store.resolution(KEY)).toBe("keyring");
        expect(events).toEqual([
          {
            type: "resolved",
            key: KEY,
            mode: "auto",
            keyringBackend: "keyring",
            place: "keyring",
            reason: "auto_load_keyring",
          },
        ]);
        expect(fileReads).toBe(0);
      },
    );

    it("takes the file where the keyring has no entry", proves("oauth-store/auto-load"), async () => {
      await put(file, "F");
      const store = resolved();
      expect(await store.read(KEY)).toBe("F");
      expect(store.resolution(KEY)).toBe("file");
      expect(told()).toEqual(["auto_load_file_keyring_missing"]);
    });

    it(
      "takes the file, with a warning, where the keyring fails",
      proves("oauth-store/auto-load"),
      async () => {
        await put(file, "F");
        scripted.failWith(noBus);
        expect(await resolved().read(KEY)).toBe("F");
        expect(events).toMatchObject([
          { type: "fallback", during: "load", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE", reason: "no-bus" },
          { type: "resolved", place: "file", reason: "auto_load_file_keyring_error" },
        ]);
      },
    );

    it(
      "warns of each failure of the keyring once, however often it is asked, and anew after a logout",
      proves("oauth-store/auto-load"),
      async () => {
        const store = resolved();
        const warned = () => events.splice(0).map((event) => [event.key, "code" in event && event.code]);
        const [absent, locked] = ["UNAVAILABLE", "LOCKED"].map((name) => `ERR_OAUTH_STORE_KEYRING_${name}`);
        scripted.failWith(noBus);
        for (let reads = 0; reads < 3; reads += 1) await store.read(KEY);
        await store.read("other|0");
        expect(warned()).toEqual([
          [KEY, absent],
          ["other|0", absent],
        ]);
        scripted.failWith(dismissed);
        for (let reads = 0; reads < 3; reads += 1)
          await expect(store.read(KEY)).rejects.toEqual(code("KEYRING_LOCKED"));
        expect(warned()).toEqual([[KEY, locked]]);
        scripted.failWith(undefined);
        await store.removeEverywhere?.(KEY);
        scripted.failWith(noBus);
        await store.read(KEY);
        expect(warned()).toEqual([[KEY, absent]]);
      },
    );

    it("names both where both fail, and decides nothing", proves("oauth-store/auto-load"), async () => {
      await writeFile(home.file(".credentials.json"), "broken", { mode: 0o600 });
      scripted.failWith(noBus);
      const store = resolved();
      await expect(store.read(KEY)).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_UNRESOLVED",
        message: expect.stringMatching(/keyring \(.*KEYRING_UNAVAILABLE\).*file \(.*CORRUPT\)/),
      });
      expect(store.resolution(KEY)).toBeUndefined();
    });

    it(
      "decides nothing where nothing is stored, and looks again",
      proves("oauth-store/auto-load"),
      async () => {
        const store = resolved();
        expect(await store.read(KEY)).toBeUndefined();
        expect(events).toEqual([]);
        await put(keyring, "K");
        expect(await store.read(KEY)).toBe("K");
      },
    );

    it.each([
      ["prompt-dismissed", "KEYRING_LOCKED", dismissed],
      ["no-answer", "KEYRING_UNAVAILABLE", new Error("DBus error: Did not receive a reply.")],
      ["ambiguous", "KEYRING_UNAVAILABLE", new Error("multiple credentials match")],
      ["platform", "KEYRING_UNAVAILABLE", new Error("something new")],
    ])(
      "does not guess that there is no login behind a keyring that failed: %s",
      proves("oauth-store/auto-load"),
      async (reason, name, error) => {
        scripted.failWith(error);
        await expect(resolved().read(KEY)).rejects.toMatchObject({ code: `ERR_OAUTH_STORE_${name}`, reason });
        await put(file, "F");
        expect(await resolved().read(KEY)).toBe("F");
        expect(events.at(-1)).toMatchObject({ type: "resolved", reason: "auto_load_file_keyring_error" });
      },
    );

    it.each([
      ["no bus", noBus],
      ["no service", new Error("org.freedesktop.secrets was not provided by any .service files")],
      ["no collection", new Error("Secret Service: no result found")],
    ])(
      "knows that there is no login where there is %s",
      proves("oauth-store/auto-load"),
      async (_, error) => {
        scripted.failWith(error);
        expect(await resolved().read(KEY)).toBeUndefined();
      },
    );
  });

  describe("saving what has no place yet", () => {
    it("uses the keyring, and clears the file", proves("oauth-store/auto-save"), async () => {
      await put(file, "older");
      const store = resolved();
      await put(store, "new");
      expect(await keyring.read(KEY)).toBe("new");
      expect(await file.read(KEY)).toBeUndefined();
      expect(told()).toEqual(["auto_save_keyring"]);
    });

    it("clears the file in the mode keyring too", proves("oauth-store/auto-save"), async () => {
      await put(file, "older");
      await put(resolved({ mode: "keyring" }), "new");
      expect(await keyring.read(KEY)).toBe("new");
      expect(await file.read(KEY)).toBeUndefined();
    });

    it.each([
      ["noBus", noBus, ["fallback", "resolved"]],
      ["dismissed", dismissed, ["fallback", "resolved", "leftover"]],
    ])(
      "uses the file, with a warning, where the keyring fails: %s",
      proves("oauth-store/auto-save"),
      async (_, error, warnings) => {
        scripted.failWith(error);
        const store = resolved();
        await put(store, "new");
        expect(await store.read(KEY)).toBe("new");
        expect(store.resolution(KEY)).toBe("file");
        expect(events.map(({ type }) => type)).toEqual(warnings);
      },
    );

    it("does not take its caller's failure for the keyring's", proves("oauth-store/auto-save"), async () => {
      const error = new Error("the caller's");
      await expect(
        resolved().update(KEY, () => {
          throw error;
        }),
      ).rejects.toThrow(error);
      expect(await file.read(KEY)).toBeUndefined();
      expect(events).toEqual([]);
    });
  });

  describe("a lock that cannot be had", () => {
    const breakLock = () => mkdir(home.file("locks", "secrets-store.lock"), { recursive: true });

    it(
      "is an error when saving, and the file is not made",
      proves("oauth-store/lock-is-no-keyring-error"),
      async () => {
        await breakLock();
        await expect(put(resolved({ keyring: encryptedFile.open(home.path) }), "new")).rejects.toEqual(
          code("NOT_WRITABLE"),
        );
        expect(await readdir(home.path)).toEqual(["locks"]);
        expect(events).toEqual([]);
        await put(file, "still works");
      },
    );

    it(
      "is an error when loading, and the file is not used",
      proves("oauth-store/lock-is-no-keyring-error"),
      async () => {
        await put(file, "F");
        await breakLock();
        const store = resolved({ keyring: encryptedFile.open(home.path) });
        await expect(store.read(KEY)).rejects.toEqual(code("NOT_WRITABLE"));
        expect(store.resolution(KEY)).toBeUndefined();
        expect(fileReads).toBe(0);
      },
    );

    const failing = (error: CredentialError): LockProvider => ({
      ...flockProvider(),
      acquire: () => Promise.reject(error),
    });
    it.each(["LOCK_TIMEOUT", "LOCK_UNAVAILABLE", "UNSAFE_FILE", "NOT_WRITABLE"] as const)(
      "is never taken for a keyring that has failed: %s",
      proves("oauth-store/lock-is-no-keyring-error"),
      async (name) => {
        await put(file, "F");
        const locks = failing(new CredentialError(`ERR_OAUTH_STORE_${name}`, "no lock"));
        const encrypted = encryptedFile.open(home.path, locks);
        const direct = createKeyringStore({
          service: "S",
          lockDirectory: home.file("locks"),
          keyring: scripted,
          locks,
        });
        await expect(resolved({ keyring: encrypted }).read(KEY)).rejects.toEqual(code(name));
        for (const store of [encrypted, direct]) {
          await expect(put(resolved({ keyring: store }), "new")).rejects.toEqual(code(name));
        }
        expect(await file.read(KEY)).toBe("F");
        expect(events).toEqual([]);
      },
    );

    it(
      "because somebody keeps it is an error that names it, and the file is neither read nor made",
      proves("oauth-store/lock-is-no-keyring-error", "oauth-store/lock-timeout-named"),
      async () => {
        const real = flockProvider();
        const path = home.file("locks", "secrets-store.lock");
        const held = await real.acquire(path);
        const hasty = { ...real, acquire: (at: string) => real.acquire(at, { timeoutMs: 30 }) };
        const store = resolved({ keyring: encryptedFile.open(home.path, hasty) });
        const named = { code: "ERR_OAUTH_STORE_LOCK_TIMEOUT", message: expect.stringContaining(path) };
        await expect(store.read(KEY)).rejects.toMatchObject(named);
        await expect(put(store, "new")).rejects.toMatchObject(named);
        expect(await readdir(home.path)).toEqual(["locks"]);
        expect(fileReads).toBe(0);
        held.release();
        await put(store, "new");
        expect(store.resolution(KEY)).toBe("keyring");
      },
    );

    it(
      "does not keep a credential that is there from being read",
      proves("oauth-store/read-only-home"),
      async () => {
        await put(encryptedFile.open(home.path), "K");
        const store = resolved({
          keyring: {
            ...encryptedFile.open(home.path),
            readLocked: () => Promise.reject(new Error("no lock")),
          },
        });
        expect(await store.read(KEY)).toBe("K");
      },
    );
  });

  it(
    "an entry that cannot be read is no reason to use the file instead",
    proves("oauth-store/lock-is-no-keyring-error"),
    async () => {
      await put(file, "F");
      scripted.secrets.set(`S ${KEY}`, "broken");
      await expect(resolved().read(KEY)).rejects.toEqual(code("CORRUPT"));
      const encrypted = encryptedFile.open(home.path);
      await put(encrypted, "K");
      await rm(home.file("credentials.key"));
      const store = resolved({ keyring: encryptedFile.open(home.path) });
      await expect(store.read(KEY)).rejects.toEqual(code("UNDECRYPTABLE"));
      await expect(put(store, "new")).rejects.toEqual(code("UNDECRYPTABLE"));
      expect(await file.read(KEY)).toBe("F");
      expect(events).toEqual([]);
    },
  );

  describe("once it is decided", () => {
    it(
      "a failing keyring is an error, the file's older entry is not used, and what is held stays good",
      proves("oauth-store/pinned"),
      async () => {
        const setting = memorySetting({ store: resolved(), home: home.path });
        const login = setting.authority.login();
        const credential = (accessToken: string, leftMs: number) =>
          oauthCredential.serialize(credentialOf({ ...login, accessToken }, leftMs));
        await file.update(KEY, () => ({ write: credential("stale-F", 3_600_000) }));
        await keyring.update(KEY, () => ({ write: credential("K", 3_600_000) }));
        const session = setting.session();
        const handle = await session.ensureFresh();
        expect(handle.view.accessToken).toBe("K");
        scripted.failWith(noBus);
        const error = await session.recover(handle).catch((failure: unknown) => failure);
        expect(error).toMatchObject({
          code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
          message: expect.stringMatching(/failed to reread.*resolved keyring store.*no other store/),
        });
        expect(session.snapshot()).toBe(handle);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
        const unsaved = setting.session();
        await unsaved.login(credentialOf(setting.authority.login(), 60_000));
        expect(setting.authority.presented).toEqual([]);
        expect(await file.read(KEY)).toMatchObject({ access_token: "stale-F" });
        expect(fileReads).toBe(1);
        scripted.failWith(undefined);
        await unsaved.settle();
        await unsaved[Symbol.asyncDispose]();
      },
    );

    it(
      "a login made while the keyring fails is saved over what was there, as soon as that can be",
      proves("oauth-store/pinned", "oauth-store/login-wins"),
      async () => {
        const setting = memorySetting({ store: resolved({ mode: "keyring" }), home: home.path });
        await setting.save(credentialOf({ ...setting.authority.login(), accessToken: "old" }, 60_000));
        scripted.failWith(dismissed);
        const session = setting.session();
        await session.login(credentialOf({ ...setting.authority.login(), accessToken: "new" }, 60_000));
        scripted.failWith(undefined);
        await session.settle();
        expect((await setting.stored())?.accessToken).toBe("new");
        await session[Symbol.asyncDispose]();
      },
    );

    it.each(["auto", "keyring"] as const)(
      "a login clears a copy in the file that came there since, and a refresh does not look there: %s",
      proves("oauth-store/auto-save", "oauth-store/pinned"),
      async (mode) => {
        await put(keyring, "K");
        const store = resolved({ mode });
        expect(await store.read(KEY)).toBe("K");
        await put(file, "of another process, which had no keyring");
        fileReads = 0;
        await put(store, "refreshed");
        expect(fileReads).toBe(0);
        expect(await file.read(KEY)).toBe("of another process, which had no keyring");
        await store.update(KEY, () => ({ write: "login" }), { quarantine: true });
        expect(await keyring.read(KEY)).toBe("login");
        expect(await file.read(KEY)).toBeUndefined();
        expect(events.map(({ type }) => type)).toEqual(["resolved"]);
      },
    );

    it(
      "sessions made anew read from the same store, and nothing is decided again",
      proves("oauth-store/decided-once"),
      async () => {
        await file.update(KEY, () => ({
          write: oauthCredential.serialize(credentialOf({ accessToken: "F" }, 3_600_000)),
        }));
        const store = resolved();
        const setting = memorySetting({ store, home: home.path });
        const handles = await Promise.all(
          Array.from({ length: 5 }, () => setting.session()).map((session) => session.ensureFresh()),
        );
        await put(keyring, "a newer entry in the other store");
        for (let again = 0; again < 3; again += 1) handles.push(await setting.session().ensureFresh());
        expect(new Set(handles.map((handle) => handle.view.accessToken))).toEqual(new Set(["F"]));
        expect(scripted.calls.filter((call) => call.startsWith("get"))).toHaveLength(1 + 2);
        expect(told()).toEqual(["auto_load_file_keyring_missing"]);
      },
    );

    it(
      "those who come while it is being decided get the same decision",
      proves("oauth-store/decided-once"),
      async () => {
        const answer = scripted.stick("get");
        await put(file, "F");
        const store = resolved();
        const reads = [store.read(KEY), store.read(KEY)];
        const saving = put(store, "new");
        answer();
        expect(await Promise.all(reads)).toEqual(["F", "F"]);
        await saving;
        expect(await file.read(KEY)).toBe("new");
        expect(scripted.secrets.size).toBe(0);
        expect(events).toHaveLength(1);
      },
    );

    it("an explicit mode uses its store and no other", proves("oauth-store/pinned"), async () => {
      await put(file, "F");
      expect(await resolved({ mode: "keyring" }).read(KEY)).toBeUndefined();
      scripted.failWith(noBus);
      await expect(resolved({ mode: "keyring" }).read(KEY)).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
      await expect(put(resolved({ mode: "keyring" }), "new")).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
      expect(await resolved({ mode: "file" }).read(KEY)).toBe("F");
      expect(await resolved({ mode: "file", keyring: undefined }).read(KEY)).toBe("F");
      expect(told()).toEqual(["configured_load", "configured_load"]);
      expect(() => resolved({ keyring: undefined })).toThrow(TypeError);
    });
  });

  describe("logging out", () => {
    it("removes from every store", proves("oauth-store/logout-everywhere"), async () => {
      const encrypted = encryptedFile.open(home.path);
      const setting = memorySetting({ store: resolved({ alsoRemoveFrom: [encrypted] }), home: home.path });
      for (const store of [keyring, encrypted, file]) await put(store, "old");
      const session = setting.session();
      await session.login(credentialOf(setting.authority.login(), 60_000));
      expect(await session.logout()).toMatchObject({ removed: true, failures: [] });
      for (const store of [keyring, encrypted, file]) expect(await store.read(KEY)).toBeUndefined();
      expect((await session.status()).state).toBe("absent");
    });

    it(
      "clears the file though the keyring fails, and reports what it could not do",
      proves("oauth-store/logout-everywhere"),
      async () => {
        scripted.failWith(noBus);
        const setting = memorySetting({ store: resolved(), home: home.path });
        const session = setting.session();
        await session.login(credentialOf(setting.authority.login(), 60_000));
        expect((await session.status()).state).toBe("usable");
        expect(await session.logout()).toEqual({
          removed: true,
          failures: [{ store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" }],
        });
        expect(await file.read(KEY)).toBeUndefined();
        expect((await session.status()).state).toBe("absent");
        await session.login(credentialOf(setting.authority.login(), 60_000));
        expect((await session.status()).state).toBe("usable");
      },
    );

    it(
      "takes the keyring's lock before the file's, and never both",
      proves("oauth-store/lock-order"),
      async () => {
        const real = flockProvider();
        const order: string[] = [];
        const held = new Set<string>();
        let most = 0;
        const locks: LockProvider = {
          ...real,
          async acquire(path, options) {
            const lock = await real.acquire(path, options);
            order.push(basename(path).replace(/-[0-9a-f]{64}/, ""));
            held.add(path);
            most = Math.max(most, held.size);
            return {
              ...lock,
              release() {
                held.delete(path);
                lock.release();
              },
            };
          },
        };
        const plain = plainFile.open(home.path, locks);
        const encrypted = encryptedFile.open(home.path, locks);
        const keys = createKeyringStore({
          service: "S",
          lockDirectory: home.file("locks"),
          keyring: scripted,
          locks,
        });
        for (const store of [plain, encrypted, keys]) await put(store, "old");
        const recipe = { mode: "auto", file: plain, keyring: encrypted } as const;
        // While the encrypted file's key was made, it had a lock of its own.
        order.length = 0;
        most = 0;
        await put(resolveCredentialStore(recipe), "new");
        await resolveCredentialStore({ ...recipe, alsoRemoveFrom: [keys] }).removeEverywhere?.(KEY);
        expect(order).toEqual([
          "secrets-store.lock",
          "file-store.lock",
          "secrets-store.lock",
          "keyring.lock",
          "file-store.lock",
        ]);
        expect(most).toBe(1);
        expect(held.size).toBe(0);
      },
    );

    it(
      "in file mode, a keyring that fails is a warning",
      proves("oauth-store/logout-everywhere"),
      async () => {
        scripted.failWith(noBus);
        const store = resolved({ mode: "file" });
        await put(store, "F");
        expect(await store.removeEverywhere?.(KEY)).toEqual({ removed: true, failures: [] });
        expect(events.at(-1)).toEqual({
          type: "leftover",
          key: KEY,
          store: "keyring",
          code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
        });
      },
    );

    it("ends the decision with the credential", proves("oauth-store/decided-once"), async () => {
      await put(file, "F");
      const store = resolved();
      await store.read(KEY);
      await store.removeEverywhere?.(KEY);
      expect(store.resolution(KEY)).toBeUndefined();
      await put(store, "new");
      expect(store.resolution(KEY)).toBe("keyring");
    });
  });

  it(
    "without a desktop: a login, a status and a logout succeed, and the entry is gone",
    proves("oauth-store/headless-auto"),
    async () => {
      const child = spawnChild({
        script: new URL("./children/headless-child.ts", import.meta.url),
        args: [home.path],
        env: { DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: home.file("none") },
      });
      try {
        const report = await child.receive<Record<string, unknown>>();
        expect(report).toEqual({
          before: "absent",
          after: "usable",
          place: "file",
          logout: {
            removed: true,
            failures: [{ store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" }],
          },
          end: "absent",
          warnings: ["ERR_OAUTH_STORE_KEYRING_UNAVAILABLE"],
        });
        expect(await readdir(home.path)).not.toContain(".credentials.json");
      } finally {
        await child[Symbol.asyncDispose]();
      }
    },
  );

  it("shows no secret in an event or an error", proves("oauth-store/no-secret-shown"), async () => {
    const secret = "planted-secret-of-two-stores";
    scripted.failWith(new Error(`told: ${secret}`));
    await put(file, secret);
    const store = resolved();
    await store.read(KEY);
    await put(store, `${secret}-2`);
    const error = await resolved({ mode: "keyring" })
      .read(KEY)
      .catch((failure: unknown) => failure);
    await writeFile(home.file(".credentials.json"), secret, { mode: 0o600 });
    const both = await resolved()
      .read(KEY)
      .catch((failure: unknown) => failure);
    expect(both).toEqual(code("UNRESOLVED"));
    expect(events.length).toBeGreaterThan(1);
    expectNoSecret([events, error, both, store], [secret]);
  });
});
