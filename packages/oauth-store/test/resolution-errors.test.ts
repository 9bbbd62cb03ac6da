import { mkdir, readdir, rm } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CredentialError,
  createKeyringStore,
  flockProvider,
  type LockProvider,
  resolveCredentialStore,
} from "../src/index.ts";
import { code } from "./support/code.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { KEY } from "./support/memory-setting.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  describe("a lock that cannot be had", () => {
    const breakLock = () => mkdir(stores.home.file("locks", "secrets-store.lock"), { recursive: true });

    it(
      "is an error when saving, and the file is not made",
      proves("oauth-store/lock-is-no-keyring-error"),
      async () => {
        const { home, events, file, resolved } = stores;
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
        const { home, file, resolved } = stores;
        await put(file, "F");
        await breakLock();
        const store = resolved({ keyring: encryptedFile.open(home.path) });
        await expect(store.read(KEY)).rejects.toEqual(code("NOT_WRITABLE"));
        expect(store.resolution(KEY)).toBeUndefined();
        expect(stores.fileReads).toBe(0);
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
        const { home, scripted, events, file, resolved } = stores;
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
        const { home, resolved } = stores;
        const real = flockProvider();
        const path = home.file("locks", "secrets-store.lock");
        const held = await real.acquire(path);
        const hasty = { ...real, acquire: (at: string) => real.acquire(at, { timeoutMs: 30 }) };
        const store = resolved({ keyring: encryptedFile.open(home.path, hasty) });
        const named = { code: "ERR_OAUTH_STORE_LOCK_TIMEOUT", message: expect.stringContaining(path) };
        await expect(store.read(KEY)).rejects.toMatchObject(named);
        await expect(put(store, "new")).rejects.toMatchObject(named);
        expect(await readdir(home.path)).toEqual(["locks"]);
        expect(stores.fileReads).toBe(0);
        held.release();
        await put(store, "new");
        expect(store.resolution(KEY)).toBe("keyring");
      },
    );

    it(
      "does not keep a credential that is there from being read",
      proves("oauth-store/read-only-home"),
      async () => {
        const { home, resolved } = stores;
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
      const { home, scripted, events, file, resolved } = stores;
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
});
