import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createKeyringStore,
  flockProvider,
  type KeyringStoreOptions,
  type LockProvider,
  oauthCredential,
  type ResolvedCredentialStore,
  resolveCredentialStore,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { dismissed, noBus, type ScriptedKeyring, scriptedKeyring } from "./support/scripted-keyring.ts";

const LOGIN = { quarantine: true };
/** For who has to wait for a keyring that does not answer. */
const HASTY = { timeoutMs: 1000 };
const silent = new Error("DBus error: Did not receive a reply.");

let home: TemporaryHome;
let scripted: ScriptedKeyring;
let events: StoreResolutionEvent[];
beforeEach(async () => {
  home = await temporaryHome();
  scripted = scriptedKeyring();
  events = [];
});
afterEach(() => home.remove());

const keyring = (over: Partial<KeyringStoreOptions> = {}): CredentialStore =>
  createKeyringStore({ service: "S", lockDirectory: home.file("locks"), keyring: scripted, ...over });
/** Each is a start of its own. */
const start = (over: Partial<KeyringStoreOptions> = {}): ResolvedCredentialStore =>
  resolveCredentialStore({
    mode: "auto",
    keyring: keyring(over),
    file: plainFile.open(home.path),
    onEvent: (event) => events.push(event),
  });
const put = (store: CredentialStore, text: string) => store.update(KEY, () => ({ write: text }));
const logIn = (store: CredentialStore, text: string, faultPoint?: (name: string) => void) =>
  store.update(KEY, () => ({ write: text }), { ...LOGIN, faultPoint });
const leftovers = () => events.flatMap((event) => (event.type === "leftover" ? [event.code] : []));
const asked = () => scripted.calls.length;

/** A start that has found its credential in the file because the keyring failed, with older entries in both. */
async function pinnedToFile(): Promise<ResolvedCredentialStore> {
  await put(keyring(), "older, in the keyring");
  await put(plainFile.open(home.path), "older, in the file");
  scripted.failWith(noBus);
  const store = start();
  expect(await store.read(KEY)).toBe("older, in the file");
  expect(store.resolution(KEY)).toBe("file");
  return store;
}

describe("an older login in the keyring", () => {
  it(
    "is gone when a login is saved into the file, where the credential is pinned",
    proves("oauth-store/older-copies-removed"),
    async () => {
      const store = await pinnedToFile();
      scripted.failWith(undefined);
      await logIn(store, "new");
      expect(scripted.secrets.size).toBe(0);
      expect(await start().read(KEY)).toBe("new");
      expect(leftovers()).toEqual([]);
    },
  );

  it(
    "does not hide a session's login from the next start",
    proves("oauth-store/older-copies-removed", "oauth-store/login-wins"),
    async () => {
      const entry = (accessToken: string) =>
        oauthCredential.serialize(credentialOf({ accessToken }, 3_600_000));
      await keyring().update(KEY, () => ({ write: entry("older, in the keyring") }));
      await plainFile.open(home.path).update(KEY, () => ({ write: entry("older, in the file") }));
      scripted.failWith(noBus);
      const setting = memorySetting({ store: start(), home: home.path });
      const session = setting.session();
      expect((await session.ensureFresh()).view.accessToken).toBe("older, in the file");
      scripted.failWith(undefined);
      const login = setting.authority.login();
      await session.login(credentialOf(login, 3_600_000));
      const next = memorySetting({ store: start(), home: home.path }).session();
      expect((await next.ensureFresh()).view.accessToken).toBe(login.accessToken);
    },
  );

  it("that cannot be read is removed all the same", proves("oauth-store/older-copies-removed"), async () => {
    const store = await pinnedToFile();
    scripted.failWith(undefined);
    scripted.secrets.set(`S ${KEY}`, "broken");
    await logIn(store, "new");
    expect(await start().read(KEY)).toBe("new");
  });

  it.each([
    ["locked", dismissed, "KEYRING_LOCKED"],
    ["silent", silent, "KEYRING_UNAVAILABLE"],
  ])(
    "is told of where the keyring is %s, once, and is gone with the next save after that",
    proves("oauth-store/older-copies-removed", "oauth-store/older-copies-told"),
    async (_, error, name) => {
      await put(keyring(), "older, in the keyring");
      scripted.failWith(error);
      const store = start();
      await logIn(store, "new");
      await put(store, "newer");
      expect(leftovers()).toEqual([`ERR_OAUTH_STORE_${name}`]);
      scripted.failWith(undefined);
      if (error === dismissed) await logIn(store, "newest");
      else await put(store, "newest");
      expect(scripted.secrets.size).toBe(0);
      expect(await start().read(KEY)).toBe("newest");
    },
  );

  it(
    "in a locked keyring makes a save ask for its password once more, and then no other but a login",
    proves("oauth-store/older-copies-removed"),
    async () => {
      scripted.failWith(dismissed);
      const store = start();
      await logIn(store, "new");
      expect(asked()).toBe(1);
      await put(store, "newer");
      expect(asked()).toBe(2);
      await put(store, "newer still");
      expect(asked()).toBe(2);
      await logIn(store, "newest");
      expect(asked()).toBe(3);
    },
  );

  it(
    "is not looked for, nor told of, where there is no keyring",
    proves("oauth-store/older-copies-told"),
    async () => {
      const store = await pinnedToFile();
      await logIn(store, "new");
      const before = asked();
      await put(store, "newer");
      expect(asked()).toBe(before);
      expect(leftovers()).toEqual([]);
    },
  );

  it(
    "is gone before a login is over that the keyring did not keep",
    proves("oauth-store/older-copies-removed"),
    async () => {
      await put(keyring(), "older, in the keyring");
      scripted.forgetWrites();
      const store = start();
      await logIn(store, "new");
      expect(store.resolution(KEY)).toBe("file");
      expect(scripted.secrets.size).toBe(0);
      expect(leftovers()).toEqual([]);
    },
  );
});

describe("what the keyring was told before the file was used", () => {
  it(
    "is taken back when it lands after all",
    proves("oauth-store/older-copies-removed", "oauth-store/auto-save"),
    async () => {
      await put(keyring(), "older, in the keyring");
      const land = scripted.stick("set");
      const store = start(HASTY);
      await logIn(store, "new");
      expect(store.resolution(KEY)).toBe("file");
      land();
      await expect.poll(() => scripted.secrets.size).toBe(0);
      expect(await start().read(KEY)).toBe("new");
      expect(leftovers()).toEqual([]);
    },
  );

  it(
    "and could not be read again is told of, and taken back when the keyring answers",
    proves("oauth-store/older-copies-removed", "oauth-store/older-copies-told"),
    async () => {
      const store = start();
      await logIn(store, "new", (name) => {
        if (name === "keyring/set") scripted.failWith(noBus);
      });
      expect(store.resolution(KEY)).toBe("file");
      expect(leftovers()).toEqual(["ERR_OAUTH_STORE_KEYRING_UNAVAILABLE"]);
      expect(scripted.secrets.size).toBe(1);
      scripted.failWith(undefined);
      await expect.poll(() => scripted.secrets.size, { timeout: 10_000 }).toBe(0);
      expect(leftovers()).toHaveLength(1);
    },
  );

  it(
    "is not taken back with a later login of another process in its place",
    proves("oauth-store/older-copies-only"),
    async () => {
      const real = flockProvider();
      const otherIsIn = Promise.withResolvers<void>();
      const lookedAgain = Promise.withResolvers<void>();
      let turns = 0;
      // Its second turn at the keyring's lock comes after the other process has logged in.
      const late: LockProvider = {
        ...real,
        async acquire(path, options) {
          const isSecond = path.includes("keyring-") && ++turns === 2;
          if (isSecond) await otherIsIn.promise;
          const held = await real.acquire(path, options);
          return {
            ...held,
            release() {
              held.release();
              if (isSecond) lookedAgain.resolve();
            },
          };
        },
      };
      const land = scripted.stick("set");
      await logIn(start({ ...HASTY, locks: late }), "first");
      land();
      await logIn(start(), "second");
      otherIsIn.resolve();
      await lookedAgain.promise;
      expect(await start().read(KEY)).toBe("second");
    },
  );

  it(
    "is nothing where the keyring was silent from the first: another process's later login stays",
    proves("oauth-store/older-copies-only", "oauth-store/older-copies-told"),
    async () => {
      const answer = scripted.stick("get");
      const first = start(HASTY);
      await logIn(first, "first");
      expect(leftovers()).toEqual(["ERR_OAUTH_STORE_KEYRING_BUSY"]);
      const before = asked();
      answer();
      await logIn(start(), "second");
      expect(scripted.calls.slice(before)).toEqual([`get ${KEY}`, `set ${KEY}`, `get ${KEY}`]);
      expect(await start().read(KEY)).toBe("second");
    },
  );
});
