import { expectNoSecret, proves } from "@hawser/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import * as everything from "../src/index.ts";
import { isCredentialError, oauthCredential } from "../src/index.ts";
import { CANARY } from "./support/canary.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY, SERVER } from "./support/memory-setting.ts";
import { encryptedStoreOf, keyringStoreOf, PLANTED, plantLogin, TOKENS, TOLD } from "./support/planted.ts";
import { RotatingAuthority } from "./support/rotating-authority.ts";
import { scriptedKeyring } from "./support/scripted-keyring.ts";
import { secretNet } from "./support/secret-net.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

it(
  "a secret that was planted is in nothing that the package makes",
  proves("oauth-store/no-secret-shown"),
  async () => {
    const { home, session, store } = setting;
    await plantLogin(setting);
    const mine = session();
    const keyring = scriptedKeyring();
    const resolved = (onEvent?: everything.StoreRecipe["onEvent"]) =>
      everything.resolveCredentialStore({
        mode: "auto",
        file: everything.createAggregateFileStore({
          path: home.file("auth.json"),
          lockPath: home.file("locks", "auth.lock"),
        }),
        keyring: keyringStoreOf(setting, keyring),
        onEvent,
      });
    const used = async (one: everything.CredentialStore) => {
      await one.update(KEY, () => ({ write: oauthCredential.serialize(credentialOf(TOKENS)) }));
      await one.read(KEY);
      return one;
    };
    const made: Readonly<Record<keyof typeof everything, () => unknown>> = {
      createAggregateFileStore: () => used(store),
      createCredentialSession: async () => {
        const handle = await mine.ensureFresh();
        return [mine, handle, await mine.status(), await mine.explain(), mine.snapshot()];
      },
      createCredentialNesting: () => everything.createCredentialNesting(),
      createEncryptedFileStore: () => used(encryptedStoreOf(setting, scriptedKeyring())),
      CredentialError: () =>
        // What does not fit its options is not kept.
        new everything.CredentialError("ERR_OAUTH_STORE_TRANSIENT", "text", {
          reason: "reason",
          cause: new Error(PLANTED),
        } as everything.CredentialErrorOptions),
      isCredentialError: () => isCredentialError(new Error(PLANTED)),
      flockProvider: async () => {
        const locks = everything.flockProvider();
        const lock = await locks.acquire(home.file("locks", "one.lock"));
        lock.release();
        return [locks, lock];
      },
      createKeyringStore: () => used(keyringStoreOf(setting, keyring)),
      createMemoryStore: async () => {
        const memory = await used(everything.createMemoryStore());
        const authority = new RotatingAuthority();
        authority.live.set(TOKENS.refreshToken, "family");
        const refreshGrant = async () => authority.grant(TOKENS.refreshToken);
        const options = { kind: oauthCredential, store: memory, key: KEY, refreshGrant };
        const one = everything.createCredentialSession(options);
        const handle = await one.ensureFresh();
        await one[Symbol.asyncDispose]();
        return [memory, one, handle];
      },
      nestedEntryFormat: () => everything.nestedEntryFormat({ answer: "a", url: "u" }),
      oauthCredential: () => [oauthCredential, oauthCredential.view(credentialOf(TOKENS))],
      observeStoreDrift: async () => {
        const drift: unknown[] = [];
        const observer = everything.observeStoreDrift({
          home: home.path,
          onDrift: (one) => drift.push(one),
        });
        await used(resolved(observer.observe));
        keyring.failWith(new Error(TOLD));
        await used(resolved(observer.observe));
        keyring.failWith(undefined);
        await observer.settle();
        expect(drift).toHaveLength(1);
        return [observer, drift];
      },
      readSpendRecords: () => everything.readSpendRecords({ home: home.path, key: KEY }),
      resolveCredentialStore: () => used(resolved()),
      createSingleFileStore: () =>
        used(everything.createSingleFileStore({ path: home.file("one", "auth.json") })),
      storeKey: () => everything.storeKey(SERVER.serverName, SERVER.serverUrl),
      systemKeyring: () => [everything.systemKeyring(), everything.systemKeyring().entry("S", KEY)],
      writeFileAtomic: () =>
        everything.writeFileAtomic(home.path, PLANTED).catch((error: unknown) => [error]),
    };
    expect(Object.keys(made).sort()).toEqual(Object.keys(everything).sort());
    for (const make of Object.values(made)) expectNoSecret(await make(), [CANARY]);
    expect(secretNet.printed).toEqual([]);
    expect(keyring.secrets.size).toBe(1);
  },
);
