import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createKeyringStore,
  oauthCredential,
  type ResolvedCredentialStore,
  resolveCredentialStore,
  type StoreRecipe,
  type StoreResolutionEvent,
  systemKeyring,
} from "../src/index.ts";
import { code } from "./support/code.ts";
import { canUseKeyring, useSecretService } from "./support/desktop.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY, SERVER } from "./support/memory-setting.ts";

const service = useSecretService();

let setting: HomeSetting;
let events: StoreResolutionEvent[];
beforeEach(async () => {
  setting = await homeSetting();
  events = [];
});
afterEach(() => setting[Symbol.asyncDispose]());

const keyring = (timeoutMs?: number): CredentialStore =>
  createKeyringStore({ service: setting.home.path, lockDirectory: setting.home.file("locks"), timeoutMs });
const resolved = (recipe: Partial<StoreRecipe> = {}): ResolvedCredentialStore =>
  resolveCredentialStore({
    mode: "auto",
    file: setting.store,
    keyring: keyring(),
    onEvent: (event) => events.push(event),
    ...recipe,
  });
const told = () => events.map((event) => ("reason" in event ? event.reason : event.type));
const put = (store: CredentialStore, text: string) => store.update(KEY, () => ({ write: text }));

/** A login in the keyring, and an older one that was left in the file. */
async function loginInBoth(): Promise<{ kept: string; stale: string }> {
  const [kept, stale] = [setting.tokens.authority.login(), setting.tokens.authority.login()];
  await setting.save(credentialOf(stale, HOUR));
  await keyring().update(KEY, () => ({ write: oauthCredential.serialize(credentialOf(kept, HOUR)) }));
  return { kept: kept.accessToken, stale: stale.accessToken };
}

describe.skipIf(!canUseKeyring)("a real keyring", () => {
  describe("that ends after it was found to hold the credential", () => {
    it(
      "makes every session fail that needs the store, sends nothing of the file's, and is used again when it is back",
      proves("oauth-store/pinned"),
      async () => {
        const { kept, stale } = await loginInBoth();
        const { tokens, session, stored } = setting;
        const store = resolved();
        const mine = session({ store });
        const handle = await mine.ensureFresh();
        expect(handle.view.accessToken).toBe(kept);
        await service().stop();
        try {
          await expect(mine.recover(handle)).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
            message: expect.stringMatching(/failed to reread.*resolved keyring store.*no other store/),
          });
          // What is held stays good, and a session made anew asks the same store.
          expect(mine.snapshot()).toBe(handle);
          await expect(session({ store }).ensureFresh()).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
          expect(tokens.authority.presented).toEqual([]);
          expect((await stored())?.accessToken).toBe(stale);
        } finally {
          await service().start();
        }
        const next = await mine.recover(handle);
        expect(next.generation).toBe(1);
        expect(tokens.authority.presented).toHaveLength(1);
        const entry = (await keyring().read(KEY)) ?? null;
        expect(oauthCredential.parse(entry).accessToken).toBe(next.view.accessToken);
        expect((await stored())?.accessToken).toBe(stale);
        expect(told()).toEqual(["auto_load_keyring"]);
      },
    );

    it(
      "between the send and the save costs nothing: the successor is served, and saved when it is back",
      proves("oauth-store/pinned", "oauth-store/unsaved-is-kept"),
      async () => {
        const { stale } = await loginInBoth();
        const { tokens, session, stored } = setting;
        const store = resolved({ keyring: keyring(1000) });
        const mine = session({
          store,
          faultPoint: async (name) => {
            if (name === "sealed") await service().stop();
          },
        });
        const handle = await mine.refresh();
        expect(handle.generation).toBe(1);
        expect(setting.events.map(({ type }) => type)).toContain("unpersisted");
        await service().start();
        await mine.settle();
        const entry = (await keyring().read(KEY)) ?? null;
        expect(oauthCredential.parse(entry).accessToken).toBe(handle.view.accessToken);
        expect((await stored())?.accessToken).toBe(stale);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });

  it(
    "that has no entry, or has failed, or has failed beside a broken file: the file, with a warning, an error that names both",
    proves("oauth-store/auto-load"),
    async () => {
      await put(setting.store, "F");
      expect(await resolved().read(KEY)).toBe("F");
      expect(told().splice(0)).toEqual(["auto_load_file_keyring_missing"]);
      events.length = 0;
      await put(keyring(), "K");
      await service().stop();
      try {
        expect(await resolved().read(KEY)).toBe("F");
        expect(events.splice(0)).toMatchObject([
          { type: "fallback", during: "load", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" },
          { type: "resolved", place: "file", reason: "auto_load_file_keyring_error" },
        ]);
        await writeFile(setting.path, "broken", { mode: 0o600 });
        const both = resolved();
        await expect(both.read(KEY)).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_UNRESOLVED",
          message: expect.stringMatching(/keyring \(.*KEYRING_UNAVAILABLE\).*file \(.*CORRUPT\)/),
        });
        expect(both.resolution(KEY)).toBeUndefined();
      } finally {
        await service().start();
      }
      expect(await resolved().read(KEY)).toBe("K");
    },
  );

  it(
    "that is frozen is not taken for one without a login: loading is its error, and the login is found afterwards",
    proves("oauth-store/auto-load"),
    async () => {
      const { session, tokens } = setting;
      const issued = tokens.authority.login();
      await keyring().update(KEY, () => ({ write: oauthCredential.serialize(credentialOf(issued, HOUR)) }));
      const mine = session({ store: resolved() });
      process.kill(service().daemonPid, "SIGSTOP");
      try {
        await expect(mine.ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
          reason: "no-answer",
        });
      } finally {
        process.kill(service().daemonPid, "SIGCONT");
      }
      expect((await mine.ensureFresh()).view.accessToken).toBe(issued.accessToken);
    },
  );

  it(
    "is decided for once: sessions made anew read the same store, whatever comes into the other",
    proves("oauth-store/decided-once"),
    async () => {
      const { session, save, tokens } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const recipe: { -readonly [Name in keyof StoreRecipe]: StoreRecipe[Name] } = {
        mode: "auto",
        file: setting.store,
        keyring: keyring(),
        onEvent: (event) => events.push(event),
      };
      const store = resolveCredentialStore(recipe);
      await session({ store }).ensureFresh();
      await keyring().update(KEY, () => ({
        write: oauthCredential.serialize(credentialOf(tokens.authority.login(), HOUR)),
      }));
      Object.assign(recipe, { mode: "keyring", file: keyring() });
      for (let again = 0; again < 3; again += 1) {
        expect((await session({ store }).ensureFresh()).view.accessToken).toBe(issued.accessToken);
      }
      expect(told()).toEqual(["auto_load_file_keyring_missing"]);
    },
  );

  it(
    "whose lock cannot be had: a save is an error and makes no file; a read needs no lock",
    proves("oauth-store/lock-is-no-keyring-error"),
    async () => {
      const { home, store: file } = setting;
      await put(keyring(), "K");
      const [name = ""] = await readdir(home.file("locks"));
      await rm(home.file("locks", name));
      await mkdir(home.file("locks", name));
      await expect(put(resolved(), "new")).rejects.toEqual(code("NOT_WRITABLE"));
      expect(await readdir(home.path)).toEqual(["locks"]);
      expect(events).toEqual([]);
      expect(await resolved().read(KEY)).toBe("K");
      await put(file, "still works");
    },
  );

  it(
    "whose entries are too small for a successor: it is known before anything is spent",
    proves("oauth-store/keyring-size", "oauth-store/rehearsed"),
    async () => {
      const { tokens, session, home } = setting;
      const small = (maxValueBytes: number) =>
        createKeyringStore({
          service: home.path,
          lockDirectory: home.file("locks"),
          maxValueBytes,
        });
      const entry = oauthCredential.serialize(credentialOf(tokens.authority.login()));
      await keyring().update(KEY, () => ({ write: entry }));
      const bytes = 2 * JSON.stringify(entry).length;
      await expect(session({ store: small(bytes - 2) }).ensureFresh()).rejects.toEqual(code("TOO_LARGE"));
      expect(tokens.authority.presented).toEqual([]);
      expect((await session({ store: small(bytes + 200) }).ensureFresh()).generation).toBe(1);
    },
  );

  it.each([
    ["nothing", (account: string) => systemKeyring().entry(setting.home.path, account).remove()],
    ["another", (account: string) => systemKeyring().entry(setting.home.path, account).set("{}")],
  ])(
    "that shows %s after it has said that a value is written is not believed: auto uses the file, keyring is an error",
    proves("oauth-store/keyring-read-back", "oauth-store/auto-save"),
    async (_, spoil) => {
      const faultPoint = async (name: string) => {
        if (name === "keyring/set") await spoil(KEY);
      };
      const entry = oauthCredential.serialize(credentialOf(setting.tokens.authority.login(), HOUR));
      const strict = resolved({ mode: "keyring" });
      await expect(strict.update(KEY, () => ({ write: entry }), { faultPoint })).rejects.toEqual(
        code("KEYRING_UNRELIABLE"),
      );
      expect(strict.resolution(KEY)).toBeUndefined();
      const store = resolved();
      await store.update(KEY, () => ({ write: entry }), { faultPoint });
      expect(store.resolution(KEY)).toBe("file");
      expect(events).toMatchObject([
        { type: "fallback", during: "save", code: "ERR_OAUTH_STORE_KEYRING_UNRELIABLE" },
        { type: "resolved", place: "file", reason: "auto_save_file_keyring_error" },
      ]);
      expect(await store.read(KEY)).toEqual(entry);
      // What is left there is removed, so that nobody finds it later.
      expect(await systemKeyring().entry(setting.home.path, KEY).get()).toBeUndefined();
    },
  );

  it(
    "that is frozen while it is being written: the file is used, and what lands later is taken back",
    proves("oauth-store/auto-save", "oauth-store/older-copies-told"),
    async () => {
      const store = resolved();
      const freeze = () => void process.kill(service().daemonPid, "SIGSTOP");
      let isFirst = true;
      try {
        await store.update(KEY, () => ({ write: "new" }), {
          faultPoint(name) {
            if (name === "store/decided" && isFirst) freeze();
            isFirst &&= name !== "store/decided";
          },
        });
        expect(store.resolution(KEY)).toBe("file");
        expect(events).toMatchObject([
          { type: "fallback", during: "save", reason: "no-answer" },
          { type: "resolved", place: "file" },
          { type: "leftover", store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" },
        ]);
      } finally {
        process.kill(service().daemonPid, "SIGCONT");
      }
      await expect
        .poll(() => systemKeyring().entry(setting.home.path, KEY).get(), { timeout: 10_000 })
        .toBeUndefined();
      expect(await resolved().read(KEY)).toBe("new");
    },
  );

  it(
    "that asks for its password and gets none keeps no login from being saved, used and ended",
    proves("oauth-store/auto-save"),
    async () => {
      const { tokens, session, stored } = setting;
      await put(keyring(), "an older login");
      await service().lock();
      try {
        const store = resolved({ keyring: keyring(300) });
        const issued = tokens.authority.login();
        const mine = session({ store });
        await mine.login(credentialOf(issued, HOUR));
        expect(store.resolution(KEY)).toBe("file");
        expect((await stored())?.accessToken).toBe(issued.accessToken);
        expect(events.slice(-3)).toMatchObject([
          { type: "fallback", during: "load", code: "ERR_OAUTH_STORE_KEYRING_BUSY" },
          { type: "resolved", place: "file", reason: "auto_save_file_keyring_error" },
          { type: "leftover", store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_BUSY" },
        ]);
        expect((await session({ store }).ensureFresh()).view.accessToken).toBe(issued.accessToken);
        await service().dismissPrompt();
        expect((await mine.logout()).removed).toBe(true);
        expect(await stored()).toBeUndefined();
      } finally {
        await service().stop();
        await service().start();
      }
    },
  );

  it(
    "that forgets all when the desktop ends: a login is asked for, nothing is sent, and the explanation says what was removed",
    proves("oauth-store/explains", "oauth-store/nothing-to-spend"),
    async () => {
      const { tokens, session } = setting;
      const first = session({ store: resolved() });
      await first.login(credentialOf(tokens.authority.login(), HOUR));
      await service().stop();
      await service().start("forgotten");
      const next = session({ store: resolved() });
      await expect(next.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(await next.explain()).toMatchObject({
        verdict: "removed",
        summary: expect.stringContaining("removed by a program"),
      });
      expect(tokens.authority.presented).toEqual([]);
      // A store that keeps what it is given can be chosen.
      const kept = session({ store: resolved({ mode: "file" }) });
      await kept.login(credentialOf(tokens.authority.login(), HOUR));
      await service().stop();
      await service().start("forgotten");
      expect((await session({ store: resolved({ mode: "file" }) }).status()).state).toBe("usable");
    },
  );

  it(
    "that is there, gone, gone again and back: each change is reported by the next start, once, and holds no secret",
    proves("oauth-store/drift-reported", "oauth-store/drift-no-secret"),
    async () => {
      const { kept, stale } = await loginInBoth();
      const { home } = setting;
      const start = async () => {
        const child = spawnChild({
          script: new URL("./children/drift-child.ts", import.meta.url),
          args: [home.path, KEY],
        });
        try {
          return await child.receive<{ place: string; reports: unknown[]; failures: string[] }>();
        } finally {
          await child[Symbol.asyncDispose]();
          expect(child.stdout + child.stderr).toBe("");
        }
      };
      const starts = [await start(), await start()];
      await service().stop();
      try {
        starts.push(await start(), await start());
      } finally {
        await service().start();
      }
      starts.push(await start());
      expect(starts.map(({ place }) => place)).toEqual(["keyring", "keyring", "file", "file", "keyring"]);
      const { serverName } = SERVER;
      const toFile = { previous: "keyring", resolved: "file", reason: "auto_load_file_keyring_error" };
      const back = { previous: "file", resolved: "keyring", reason: "auto_load_keyring" };
      expect(starts.flatMap(({ reports }) => reports)).toEqual([
        { serverName, ...toFile },
        { serverName, ...back },
      ]);
      expect(starts.flatMap(({ failures }) => failures)).toEqual([]);
      const state = await readFile(home.file(".mcp-oauth-store-resolutions.json"), "utf8");
      for (const secret of [kept, stale, SERVER.serverUrl, "client-1"]) {
        expect(state + JSON.stringify(starts)).not.toContain(secret);
      }
    },
  );
});
