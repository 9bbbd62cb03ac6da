import { chmod, link, readFile, writeFile } from "node:fs/promises";
import { expectNoSecret, proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as everything from "../src/index.ts";
import { type CredentialErrorCode, isCredentialError, oauthCredential } from "../src/index.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY, SERVER } from "./support/memory-setting.ts";
import { RotatingAuthority } from "./support/rotating-authority.ts";
import { dismissed, scriptedKeyring } from "./support/scripted-keyring.ts";
import { checkFiles } from "./support/secret-watch.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

/** Stands in every secret below, and is what is looked for. */
const PLANTED = "whoever-reads-this-has-found-it";
const HOUR = 3_600_000;
const TOKENS = { accessToken: `at-${PLANTED}`, refreshToken: `rt-${PLANTED}-long-enough-to-seal` };
/** Too short to seal with. */
const SHORT = "rt-found-it";
const SECRETS = [PLANTED, ...Object.values(TOKENS), SHORT];

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
/** What was printed or logged. */
let printed: unknown[];
/** What was seen on the way. */
let shown: unknown[];
beforeEach(async () => {
  setting = await homeSetting();
  shown = [];
  printed = [];
  const print = (...given: unknown[]) => printed.push(given) > 0;
  for (const name of ["log", "info", "warn", "error", "debug", "trace", "dir"] as const)
    vi.spyOn(console, name).mockImplementation(print);
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, "write").mockImplementation(print);
});
afterEach(async () => {
  absent.packages = false;
  vi.restoreAllMocks();
  try {
    expect(printed).toEqual([]);
    await checkFiles(setting.home.path, SECRETS);
  } finally {
    await setting[Symbol.asyncDispose]();
  }
});

/** A login with planted tokens, which the authority knows. */
async function planted(leftMs = -1, tokens = TOKENS): Promise<void> {
  setting.tokens.authority.live.set(tokens.refreshToken, "family");
  await setting.save(credentialOf(tokens, leftMs));
}
const refusal = { status: 400, body: `{"error":"invalid_grant","error_description":"${PLANTED}"}` };
const fails = (): never => {
  throw new Error(`told: ${PLANTED}`);
};
const keyringStore = (keyring = scriptedKeyring(), maxValueBytes?: number) =>
  everything.createKeyringStore({
    service: "S",
    lockDirectory: setting.home.file("locks"),
    keyring,
    timeoutMs: 50,
    maxValueBytes,
  });
const encryptedStore = () =>
  everything.createEncryptedFileStore({
    path: setting.home.file("auth.enc"),
    lockPath: setting.home.file("locks", "auth.lock"),
    key: { file: setting.home.file("auth.key") },
  });
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
    await planted(-1, { ...TOKENS, refreshToken: SHORT });
    const copy = home.file(".credentials.copy.json");
    await writeFile(copy, await readFile(path), { mode: 0o600 });
    let unblock = async () => {};
    await session({
      faultPoint: async (name) => {
        if (name === "sealed") unblock = await blockStore(path);
      },
    }).ensureFresh();
    const store = everything.createAggregateFileStore({ path: copy, lockPath: `${copy}.lock` });
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
    const locks = everything.flockProvider();
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
    return setting.session({ locks: everything.flockProvider() }).ensureFresh();
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
    await link(setting.path, setting.home.file("elsewhere"));
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_NOT_WRITABLE() {
    await planted();
    await chmod(setting.path, 0o400);
    return setting.session().ensureFresh();
  },
  async ERR_OAUTH_STORE_UNDECRYPTABLE() {
    await encryptedStore().update(KEY, () => writing);
    await writeFile(setting.home.file("auth.key"), Buffer.alloc(32, 7).toString("base64"), { mode: 0o600 });
    return encryptedStore().read(KEY);
  },
  async ERR_OAUTH_STORE_UNSUPPORTED() {
    await setting.home.write("auth.enc", `age-encryption.org/v1\n${PLANTED}`);
    return encryptedStore().read(KEY);
  },
  async ERR_OAUTH_STORE_KEYRING_MISSING() {
    const locks = everything.flockProvider();
    const lockDirectory = setting.home.file("locks");
    (await locks.acquire(setting.home.file("locks", "loaded.lock"))).release();
    absent.packages = true;
    return everything.createKeyringStore({ service: "S", lockDirectory, locks }).update(KEY, () => writing);
  },
  async ERR_OAUTH_STORE_KEYRING_UNAVAILABLE() {
    const keyring = scriptedKeyring();
    keyring.failWith(new Error(`told: ${PLANTED}`));
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
    keyring.failWith(new Error(`told: ${PLANTED}`));
    await setting.home.write(".credentials.json", `"${PLANTED}`);
    return everything
      .resolveCredentialStore({ mode: "auto", file: setting.store, keyring: keyringStore(keyring) })
      .read(KEY);
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
    async (code, situation) => {
      const error = await situation().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code });
      expect(isCredentialError(error)).toBe(true);
      expect(error).not.toHaveProperty("cause");
      expectNoSecret([error, shown, setting.events], [...SECRETS, ...setting.tokens.authority.issued]);
    },
  );

  it("is in nothing that the package makes", proves("oauth-store/no-secret-shown"), async () => {
    const { home, session, store, tokens } = setting;
    await planted();
    const mine = session();
    const keyring = scriptedKeyring();
    const drift: unknown[] = [];
    const observer = everything.observeStoreDrift({ home: home.path, onDrift: (one) => drift.push(one) });
    const resolved = everything.resolveCredentialStore({
      mode: "auto",
      file: everything.createAggregateFileStore({
        path: home.file("auth.json"),
        lockPath: home.file("locks", "auth.lock"),
      }),
      keyring: keyringStore(keyring),
      onEvent: (event) => observer.observe(event),
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
      createEncryptedFileStore: () => used(encryptedStore()),
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
      createKeyringStore: () => used(keyringStore(keyring)),
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
        await observer.settle();
        return [observer, drift];
      },
      readSpendRecords: () => everything.readSpendRecords({ home: home.path, key: KEY }),
      resolveCredentialStore: () => used(resolved),
      createSingleFileStore: () => used(everything.createSingleFileStore({ path: home.file("auth.one") })),
      storeKey: () => everything.storeKey(SERVER.serverName, SERVER.serverUrl),
      systemKeyring: () => [everything.systemKeyring(), everything.systemKeyring().entry("S", KEY)],
      writeFileAtomic: () =>
        everything.writeFileAtomic(home.path, PLANTED).catch((error: unknown) => [error]),
    };
    expect(Object.keys(made).sort()).toEqual(Object.keys(everything).sort());
    for (const [name, make] of Object.entries(made)) shown.push([name, await make()]);
    expectNoSecret(shown, [...SECRETS, ...tokens.authority.issued]);
    expect(keyring.secrets.size).toBe(1);
  });
});
