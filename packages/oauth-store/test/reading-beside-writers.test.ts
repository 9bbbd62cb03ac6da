import { readdir, readFile, writeFile } from "node:fs/promises";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createSingleFileStore,
  flockProvider,
  type HeldLock,
  type LockProvider,
  oauthCredential,
  resolveCredentialStore,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";

const HALF = '{"mock|0123';
const BUSY = { code: "ERR_OAUTH_STORE_LOCK_TIMEOUT", permanent: false };
/** A wait for the lock would last for a minute. */
const atOnce = (...ids: Parameters<typeof proves>) => ({ ...proves(...ids), timeout: 20_000 });

let home: TemporaryHome;
let held: HeldLock | undefined;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(async () => {
  held?.release();
  held = undefined;
  await home.remove();
});

const entry = (accessToken: string) => oauthCredential.serialize(credentialOf({ accessToken }, 3_600_000));
const save = (store: CredentialStore, accessToken: string) =>
  store.update(KEY, () => ({ write: entry(accessToken) }));
async function keep(name: string): Promise<void> {
  held = await flockProvider().acquire(home.file("locks", name));
}

const kinds = [
  {
    kind: "aggregate",
    name: ".credentials.json",
    lock: "file-store.lock",
    open: (locks?: LockProvider) => plainFile.open(home.path, locks),
  },
  {
    kind: "encrypted",
    name: "credentials.enc",
    lock: "secrets-store.lock",
    open: (locks?: LockProvider) => encryptedFile.open(home.path, locks),
  },
  {
    kind: "single",
    name: "auth.json",
    lock: "single.lock",
    open: (locks?: LockProvider) =>
      createSingleFileStore({
        path: home.file("auth.json"),
        lockPaths: [home.file("locks", "single.lock")],
        locks,
      }),
  },
];

describe.each(kinds)("half a file whose lock somebody keeps: $kind", ({ kind, name, lock, open }) => {
  it(
    "is told of as unreadable, and as what may be busy",
    atOnce("oauth-store/reading-takes-no-lock"),
    async () => {
      await writeFile(home.file(name), HALF, { mode: 0o600 });
      await keep(lock);
      const session = memorySetting({ store: open(), home: home.path }).session();
      expect(await session.status()).toEqual({ state: "corrupt", expired: false, failure: BUSY });
      expect((await session.explain()).verdict).toBe("corrupt");
    },
  );

  it(
    "does not keep a session from telling what it holds",
    atOnce("oauth-store/reading-takes-no-lock"),
    async () => {
      await save(open(), "valid");
      const session = memorySetting({ store: open(), home: home.path }).session();
      const handle = await session.ensureFresh();
      await writeFile(home.file(name), HALF, { mode: 0o600 });
      await keep(lock);
      expect(await session.status()).toEqual({ state: "usable", handle, expired: false, failure: BUSY });
    },
  );

  it(
    "is not moved aside by a login, which waits for its writer and keeps what that wrote",
    proves("oauth-store/corrupt-store", "oauth-store/contending-writers"),
    async () => {
      const other = kind === "single" ? KEY : "other|1";
      await open().update(other, () => ({ write: "the other's" }));
      const whole = await readFile(home.file(name), "utf8");
      await keep(lock);
      await writeFile(home.file(name), whole.slice(0, whole.length / 2));
      const waits = Promise.withResolvers<void>();
      const real = flockProvider();
      const telling: LockProvider = {
        ...real,
        acquire: (path, options) => real.acquire(path, { ...options, onContention: waits.resolve }),
      };
      let seen: unknown;
      const login = open(telling).update(
        KEY,
        (current) => {
          seen = current;
          return { write: "mine" };
        },
        { quarantine: true },
      );
      await waits.promise;
      await writeFile(home.file(name), whole);
      held?.release();
      await login;
      expect((await readdir(home.path)).filter((one) => one.includes(".corrupt-"))).toEqual([]);
      expect(await open().read(KEY)).toBe("mine");
      expect(kind === "single" ? seen : await open().read(other)).toBe("the other's");
    },
  );
});

describe("auto, with an encrypted file that is not there and whose lock somebody keeps", () => {
  const events: StoreResolutionEvent[] = [];
  const auto = () =>
    resolveCredentialStore({
      mode: "auto",
      keyring: encryptedFile.open(home.path),
      file: plainFile.open(home.path),
      onEvent: (event) => events.push(event),
    });

  it(
    "shows nobody's login as none, and the file's as it is, and decides nothing by that",
    atOnce("oauth-store/reading-takes-no-lock", "oauth-store/decided-once"),
    async () => {
      await keep("secrets-store.lock");
      const store = auto();
      const session = memorySetting({ store, home: home.path }).session();
      expect((await session.status()).state).toBe("absent");
      expect((await session.explain()).verdict).toBe("never-logged-in");
      await save(plainFile.open(home.path), "valid");
      expect((await session.status()).handle?.view.accessToken).toBe("valid");
      expect((await session.explain()).verdict).toBe("working");
      held?.release();
      await save(encryptedFile.open(home.path), "in the encrypted file");
      await keep("secrets-store.lock");
      expect((await session.status()).handle?.view.accessToken).toBe("in the encrypted file");
      expect(store.resolution(KEY)).toBeUndefined();
      expect(events).toEqual([]);
    },
  );

  it(
    "is looked at beside a read and a login that wait for the lock",
    atOnce("oauth-store/reading-takes-no-lock"),
    async () => {
      await save(plainFile.open(home.path), "valid");
      await keep("secrets-store.lock");
      const waiting: Promise<unknown>[] = [];
      for (const wait of [
        (store: CredentialStore) => store.read(KEY),
        (store: CredentialStore) => save(store, "new"),
      ]) {
        const store = auto();
        waiting.push(wait(store));
        const session = memorySetting({ store, home: home.path }).session();
        expect((await session.status()).handle?.view.accessToken).toBe("valid");
      }
      held?.release();
      await Promise.all(waiting);
    },
  );
});
