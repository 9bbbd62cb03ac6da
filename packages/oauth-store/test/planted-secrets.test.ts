import { chmod, link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type CredentialErrorCode,
  createAggregateFileStore,
  createKeyringStore,
  flockProvider,
  isCredentialError,
  oauthCredential,
  resolveCredentialStore,
} from "../src/index.ts";
import { CANARY } from "./support/canary.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import {
  encryptedStoreOf,
  expectPlantedNowhere,
  keyringStoreOf,
  PLANTED,
  plantLogin,
  TOKENS,
  TOLD,
} from "./support/planted.ts";
import { dismissed, scriptedKeyring } from "./support/scripted-keyring.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const absent = vi.hoisted(() => ({ packages: false }));
vi.mock("node:module", async (original) => {
  const real = await original<typeof import("node:module")>();
  const cannot = () => {
    throw new Error("Cannot find module");
  };
  const createRequire = (from: string) =>
    absent.packages ? Object.assign(cannot, { resolve: cannot }) : real.createRequire(from);
  return { ...real, createRequire };
});

let setting: HomeSetting;
/** What was seen on the way. */
let shown: unknown[];
beforeEach(async () => {
  setting = await homeSetting();
  shown = [];
});
afterEach(async () => {
  absent.packages = false;
  await setting[Symbol.asyncDispose]();
});

const planted = (leftMs?: number) => plantLogin(setting, { leftMs });
const refusal = { status: 400, body: `{"error":"invalid_grant","error_description":"${PLANTED}"}` };
const fails = (): never => {
  throw new Error(TOLD);
};
const keyringStore = (keyring = scriptedKeyring(), maxValueBytes?: number) =>
  keyringStoreOf(setting, keyring, maxValueBytes);
const writing = { write: { text: PLANTED } };

/** For each code what ends in it, with a secret in everything that could be quoted. */
const SITUATIONS: Readonly<Record<CredentialErrorCode, () => Promise<unknown>>> = {
  async ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED() {
    await setting.save(credentialOf({ accessToken: TOKENS.accessToken }));
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_REFUSED() {
    await planted();
    // A server that echoes what it was sent as the name of the incident.
    const mine = setting.session({
      refreshGrant: async ({ refreshToken }) => ({
        sent: "yes",
        status: refusal.status,
        body: Buffer.from(refusal.body),
        correlationId: refreshToken,
      }),
    });
    await mine.ensureFresh().catch(() => {});
    shown.push(await mine.explain());
    return mine.ensureFresh();
  },
  async ERR_OAUTH_STORE_INTERRUPTED() {
    await planted();
    setting.tokens.authority.mischief.push({ lose: "before" }, refusal);
    const clock = steppingClock();
    const mine = setting.session({ clock });
    await mine.ensureFresh().catch(() => {});
    clock.advance(4000);
    return mine.ensureFresh();
  },
  async ERR_OAUTH_STORE_SUPERSEDED() {
    await planted();
    const restore = await backUp(setting.path);
    await setting.session().ensureFresh();
    await setting.session({ revoke: async () => fails() }).logout();
    await restore();
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_HELD_ELSEWHERE() {
    const { home, path, session } = setting;
    // Too short to seal with.
    await plantLogin(setting, { refreshToken: `rt-${CANARY}` });
    await mkdir(home.file("copy"), { mode: 0o700 });
    const copy = home.file("copy", ".credentials.json");
    await writeFile(copy, await readFile(path), { mode: 0o600 });
    let unblock = async () => {};
    await session({
      faultPoint: async (name) => {
        if (name === "sealed") unblock = await blockStore(path);
      },
    }).ensureFresh();
    const store = createAggregateFileStore({ path: copy, lockPath: `${copy}.lock` });
    return session({ store }).ensureFresh().finally(unblock);
  },
  async ERR_OAUTH_STORE_REPLACED() {
    const { session, tokens } = setting;
    await planted(HOUR);
    const mine = session();
    const a = await mine.ensureFresh();
    await session().login({ ...credentialOf(tokens.authority.login(), HOUR), clientId: "another" });
    return mine.recover(a);
  },
  async ERR_OAUTH_STORE_WRONG_OWNER() {
    await planted();
    const kind = { ...oauthCredential, validate: () => ({ outcome: "wrong-account" as const }) };
    return setting.session({ kind }).ensureFresh();
  },
  async ERR_OAUTH_STORE_TRANSIENT() {
    const { session, store } = setting;
    await planted();
    const unreadable = { ...store, read: async () => fails() };
    shown.push(
      await session({ store: unreadable })
        .ensureFresh()
        .catch((error: unknown) => error),
    );
    // A kind of the caller's own that quotes what it was given.
    const broken = session({ kind: { ...oauthCredential, spendable: fails } });
    const told = (error: unknown) => shown.push(error);
    await Promise.all(
      [broken.ensureFresh(), broken.status(), broken.explain()].map((work) => work.catch(told)),
    );
    expect(shown.map(isCredentialError)).toEqual([true, true, true, true]);
    return setting.session({ refreshGrant: async () => fails() }).ensureFresh();
  },
  async ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED() {
    await planted(HOUR);
    const mine = setting.session();
    let handle = await mine.ensureFresh();
    for (let rejections = 0; rejections < 2; rejections += 1) handle = await mine.recover(handle);
    return mine.recover(handle);
  },
  async ERR_OAUTH_STORE_WAIT_TIMEOUT() {
    await planted();
    const clock = virtualClock();
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<never>();
    const call = setting
      .session({
        clock,
        refreshGrant: () => {
          asked.resolve();
          return answered.promise;
        },
      })
      .ensureFresh();
    call.catch(() => {});
    await asked.promise;
    await clock.advance(30_001);
    answered.reject(new Error(PLANTED));
    return call;
  },
  async ERR_OAUTH_STORE_LOCK_TIMEOUT() {
    await planted();
    const locks = flockProvider();
    const lockPath = setting.home.file("locks", "kept.lock");
    const kept = await locks.acquire(lockPath);
    const hasty = { ...locks, acquire: (path: string) => locks.acquire(path, { timeoutMs: 5 }) };
    return setting
      .session({ locks: hasty, lockPath })
      .ensureFresh()
      .finally(() => kept.release());
  },
  async ERR_OAUTH_STORE_LOCK_UNAVAILABLE() {
    await planted();
    absent.packages = true;
    return setting.session({ locks: flockProvider() }).ensureFresh();
  },
  async ERR_OAUTH_STORE_REENTERED() {
    await planted();
    const inner = Promise.withResolvers<unknown>();
    inner.promise.catch(() => {});
    const mine = setting.session({
      refreshGrant: async () => {
        mine.ensureFresh().then(inner.resolve, inner.reject);
        return { sent: "no", code: "refused" };
      },
    });
    await mine.ensureFresh().catch(() => {});
    return inner.promise;
  },
  async ERR_OAUTH_STORE_CORRUPT() {
    await setting.store.update(KEY, () => ({ write: { access_token: 5, refresh_token: PLANTED } }));
    for (const kind of [oauthCredential, { ...oauthCredential, parse: fails }]) {
      shown.push(
        await setting
          .session({ kind })
          .ensureFresh()
          .catch((error: unknown) => error),
      );
    }
    expect(shown).toMatchObject([{ code: "ERR_OAUTH_STORE_CORRUPT" }, { code: "ERR_OAUTH_STORE_CORRUPT" }]);
    await setting.home.write(".credentials.json", `{"half":"${PLANTED}`);
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_UNSAFE_FILE() {
    await planted();
    await link(setting.path, setting.home.file("auth.json"));
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_NOT_WRITABLE() {
    await planted();
    await chmod(setting.path, 0o400);
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_UNDECRYPTABLE() {
    const keyring = scriptedKeyring();
    await encryptedStoreOf(setting, keyring).update(KEY, () => writing);
    keyring.secrets.delete("S key");
    return encryptedStoreOf(setting, keyring).read(KEY);
  },
  async ERR_OAUTH_STORE_UNSUPPORTED() {
    const path = await setting.home.write("credentials.enc", `age-encryption.org/v1\n${PLANTED}`);
    return encryptedStoreOf(setting, scriptedKeyring())
      .read(KEY)
      .finally(() => rm(path));
  },
  async ERR_OAUTH_STORE_KEYRING_MISSING() {
    const locks = flockProvider();
    const lockDirectory = setting.home.file("locks");
    (await locks.acquire(setting.home.file("locks", "loaded.lock"))).release();
    absent.packages = true;
    return createKeyringStore({ service: "S", lockDirectory, locks }).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_KEYRING_UNAVAILABLE() {
    const keyring = scriptedKeyring();
    keyring.failWith(new Error(TOLD));
    return keyringStore(keyring).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_KEYRING_LOCKED() {
    const keyring = scriptedKeyring();
    keyring.failWith(new Error(`${dismissed.message} ${PLANTED}`));
    return keyringStore(keyring).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_KEYRING_BUSY() {
    const keyring = scriptedKeyring();
    const land = keyring.stick("set");
    return keyringStore(keyring)
      .update(KEY, () => writing)
      .finally(land);
  },
  async ERR_OAUTH_STORE_KEYRING_UNRELIABLE() {
    const keyring = scriptedKeyring();
    keyring.forgetWrites();
    return keyringStore(keyring).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_TOO_LARGE() {
    return keyringStore(scriptedKeyring(), 10).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_UNRESOLVED() {
    const keyring = scriptedKeyring();
    keyring.failWith(new Error(TOLD));
    await setting.home.write(".credentials.json", `"${PLANTED}`);
    return resolveCredentialStore({ mode: "auto", file: setting.store, keyring: keyringStore(keyring) }).read(
      KEY,
    );
  },
  async ERR_OAUTH_STORE_CLOSED() {
    await planted(HOUR);
    const mine = setting.session();
    await mine.ensureFresh();
    await mine[Symbol.asyncDispose]();
    return mine.ensureFresh();
  },
};

describe("a secret that was planted in everything that could be quoted", () => {
  it.each(Object.entries(SITUATIONS))(
    "is in no error %s, nor in what was printed or written until it",
    proves("oauth-store/no-secret-shown"),
    (code, situation) =>
      expectPlantedNowhere(situation, { code: code as CredentialErrorCode }, shown, setting.events),
  );
});
