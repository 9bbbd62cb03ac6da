import { basename } from "node:path";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createKeyringStore,
  flockProvider,
  type LockProvider,
  resolveCredentialStore,
} from "../src/index.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";
import { noBus } from "./support/scripted-keyring.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  describe("logging out", () => {
    it("removes from every store", proves("oauth-store/logout-everywhere"), async () => {
      const { home, file, keyring, resolved } = stores;
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
        const { home, scripted, file, resolved } = stores;
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
        const { home, scripted } = stores;
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
        const { scripted, events, resolved } = stores;
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
      const { file, resolved } = stores;
      await put(file, "F");
      const store = resolved();
      await store.read(KEY);
      await store.removeEverywhere?.(KEY);
      expect(store.resolution(KEY)).toBeUndefined();
      await put(store, "new");
      expect(store.resolution(KEY)).toBe("keyring");
    });
  });
});
