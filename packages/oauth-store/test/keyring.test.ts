import { readdir, readFile } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createEncryptedFileStore,
  createKeyringStore,
  type KeyringStoreOptions,
  nestedEntryFormat,
  oauthCredential,
  resolveCredentialStore,
  systemKeyring,
} from "../src/index.ts";
import { canUseKeyring, useSecretService } from "./support/desktop.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { noBus as noBusError, scriptedKeyring } from "./support/scripted-keyring.ts";
import { type SessionBus, startSecretService, startSessionBus } from "./support/secret-service.ts";

const canRun = canUseKeyring;
const service = useSecretService();

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

const open = (options: Partial<KeyringStoreOptions> = {}) =>
  createKeyringStore({ service: "Tests of oauth-store", lockDirectory: home.file("locks"), ...options });

const entry = oauthCredential.serialize(
  credentialOf({ accessToken: "keyring-at", refreshToken: "keyring-rt" }, 1000),
);

describe.skipIf(!canRun)("a real Secret Service", () => {
  it(
    "keeps one credential per entry, reads it back, and forgets it when told to",
    proves("oauth-store/keyring"),
    async () => {
      const store = open();
      expect(await store.read(KEY)).toBeUndefined();
      await store.update(KEY, (current) => {
        expect(current).toBeUndefined();
        return { write: entry };
      });
      expect(await open().read(KEY)).toEqual(entry);
      expect(await systemKeyring().entry("Tests of oauth-store", KEY).get()).toBe(JSON.stringify(entry));
      await store.rehearse(KEY, entry);
      await store.update(KEY, () => "remove");
      expect(await open().read(KEY)).toBeUndefined();
      expect(await readdir(home.path)).toEqual(["locks"]);
    },
  );

  it(
    "carries a session: one grant for all, and the successor in the keyring",
    proves("oauth-store/keyring"),
    async () => {
      const setting = memorySetting({ store: open(), home: home.path });
      await setting.save(credentialOf(setting.authority.login()));
      const handles = await Promise.all(
        [setting.session(), setting.session()].map((one) => one.ensureFresh()),
      );
      expect(new Set(handles.map(({ view }) => view.accessToken)).size).toBe(1);
      expect(setting.authority.presented).toHaveLength(1);
      expect((await setting.stored())?.accessToken).toBe(handles[0]?.view.accessToken);
      expect(await setting.session().logout()).toMatchObject({ removed: true, failures: [] });
      expect(await setting.stored()).toBeUndefined();
    },
  );

  it(
    "and an old copy in the file, where auto finds no keyring: what was spent from one is not sent from the other",
    proves("oauth-store/records-know-no-store"),
    async () => {
      const auto = (keyring: CredentialStore) =>
        resolveCredentialStore({ mode: "auto", keyring, file: plainFile.open(home.path) });
      const setting = memorySetting({ store: auto(open()), home: home.path });
      const { authority, session, save } = setting;
      await save(credentialOf(authority.login()));
      const stale = await setting.stored();
      if (stale)
        await plainFile.open(home.path).update(KEY, () => ({ write: oauthCredential.serialize(stale) }));
      const desktop = session();
      const b = await desktop.ensureFresh();

      const nobody = scriptedKeyring();
      nobody.failWith(noBusError);
      const overSsh = () => session({ store: auto(open({ keyring: nobody })) });
      expect((await overSsh().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      expect(authority.presented).toHaveLength(1);
      await desktop.refresh();
      await desktop.refresh();
      // Too far behind: it is told, and nothing is sent.
      await expect(overSsh().refresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_SUPERSEDED" });
      expect(authority.presented).toHaveLength(3);
      expect(authority.revokedFamilies.size).toBe(0);
      await session().logout();
    },
  );

  it("keeps the shape of other programs", proves("oauth-store/keyring-formats"), async () => {
    const format = nestedEntryFormat({ answer: "token_response", url: "url" });
    const store = open({ format });
    await store.update(KEY, () => ({ write: entry }));
    const text = await systemKeyring().entry("Tests of oauth-store", KEY).get();
    expect(JSON.parse(text ?? "")).toMatchObject({ token_response: { access_token: "keyring-at" } });
    expect(oauthCredential.parse((await store.read(KEY)) ?? null).accessToken).toBe("keyring-at");
    await store.update(KEY, () => "remove");
  });

  it("keeps the key of an encrypted file", proves("oauth-store/encrypted-file"), async () => {
    const account = "key of the file";
    const openFile = (name = account) =>
      createEncryptedFileStore({
        path: home.file("credentials.enc"),
        lockPath: home.file("locks", "secrets-store.lock"),
        key: { keyring: { service: "Tests of oauth-store", account: name } },
      });
    await openFile().update(KEY, () => ({ write: entry }));
    expect(await openFile().read(KEY)).toEqual(entry);
    expect(await readFile(home.file("credentials.enc"), "utf8")).not.toContain("keyring-at");
    await expect(openFile("another").read(KEY)).rejects.toMatchObject({
      code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
      reason: "key-missing",
    });
    expect(await systemKeyring().entry("Tests of oauth-store", account).remove()).toBe(true);
  });

  it(
    "is left with no connection to the session bus, however often it was asked",
    proves("oauth-store/keyring-few-connections"),
    async () => {
      const before = await service().connections();
      const keyring = systemKeyring();
      let most = 0;
      for (let calls = 0; calls < 100; calls += 1) {
        await keyring.entry("Tests of oauth-store", "asked often").get();
        if (calls % 10 === 0) most = Math.max(most, await service().connections());
      }
      expect(most - before).toBeLessThan(40);
      await expect.poll(() => service().connections(), { timeout: 5000 }).toBeLessThanOrEqual(before);
    },
  );

  it(
    "is busy while an unlock prompt waits, locked when it is dismissed, and stops nobody meanwhile",
    proves("oauth-store/keyring-told-apart"),
    async () => {
      const store = open();
      await store.update(KEY, () => ({ write: entry }));
      await service().lock();
      const code = (error: Error & { code?: string }): string | undefined => error.code;
      const dismissed = store.read(KEY).catch(code);
      await service().dismissPrompt();
      expect(await dismissed).toBe("ERR_OAUTH_STORE_KEYRING_LOCKED");
      // As many prompts as there are threads in the pool that files are read with.
      const reads = Array.from({ length: 4 }, () => open({ timeoutMs: 300 }).read(KEY).catch(code));
      expect((await readFile(import.meta.filename)).length).toBeGreaterThan(0);
      expect(new Set(await Promise.all(reads))).toEqual(new Set(["ERR_OAUTH_STORE_KEYRING_BUSY"]));
    },
  );
});

const noBus = async (): Promise<SessionBus | undefined> => undefined;

describe.skipIf(!canRun)("a keyring that is not there", () => {
  it.each([
    ["no session bus", "no-bus", noBus],
    ["a bus without a keyring", "no-service", startSessionBus],
  ] as const)("%s is told as such", proves("oauth-store/keyring-told-apart"), async (_, reason, start) => {
    const bus = await start();
    const child = spawnChild({
      script: new URL("./children/keyring-child.ts", import.meta.url),
      args: [home.path],
      env: bus ? { ...bus.env } : { DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: home.file("none") },
    });
    try {
      const error = { code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE", reason };
      expect(await child.receive()).toEqual({ read: error, update: error });
      expect(await child.exited).toEqual({ code: 0, signal: null });
    } finally {
      await child[Symbol.asyncDispose]();
      await bus?.[Symbol.asyncDispose]();
    }
  });

  it(
    "a daemon that is frozen does not freeze us: the loop turns, and the error says nobody answers",
    proves("oauth-store/keyring-told-apart"),
    async () => {
      const frozen = await startSecretService();
      const child = spawnChild({
        script: new URL("./children/keyring-child.ts", import.meta.url),
        args: [home.path, String(frozen.daemonPid)],
        env: { ...frozen.env },
      });
      try {
        const { read, longestPauseMs } = await child.receive<{
          read: { code: string };
          longestPauseMs: number;
        }>();
        expect(read.code).toMatch(/KEYRING_(BUSY|UNAVAILABLE)$/);
        expect(longestPauseMs).toBeLessThan(1000); // The library waits for two seconds where it is called.
      } finally {
        await child[Symbol.asyncDispose]();
        await frozen[Symbol.asyncDispose]();
      }
    },
  );
});
