import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createCredentialSession,
  createKeyringStore,
  flockProvider,
  type LockProvider,
  resolveCredentialStore,
} from "../src/index.ts";
import { code } from "./support/code.ts";
import { fileStore } from "./support/file-store.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { noBus, scriptedKeyring } from "./support/scripted-keyring.ts";
import { takeLock } from "./support/take-lock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** `auto` where no keyring can be reached: what is in the file can be removed, what may be in the keyring not. */
function headlessStore() {
  const keyring = scriptedKeyring();
  keyring.failWith(noBus);
  const { home } = setting;
  return resolveCredentialStore({
    mode: "auto",
    keyring: createKeyringStore({ service: "S", lockDirectory: home.file("locks"), keyring }),
    file: fileStore(home.path),
  });
}

describe(createCredentialSession, () => {
  it(
    "takes up a login made by another process after a logout that could not have the lock, though it had read nothing",
    proves("oauth-store/login-elsewhere", "oauth-store/lock-kept"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const lock = await takeLock(home);
      const mine = session({ locks: hastyLocks() });
      await expect(mine.logout()).rejects.toEqual(code("LOCK_TIMEOUT"));
      lock.release();
      // What it was logged out of stays ended here.
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      const again = tokens.authority.login();
      await setting.another().login(credentialOf(again, HOUR));
      expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "does not remove, in a logout, a login that was called for after it and saved before it had the lock",
    proves("oauth-store/login-wins"),
    async () => {
      const { tokens, save, stored, session, home } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const real = flockProvider();
      const gate = Promise.withResolvers<void>();
      let asked = 0;
      const acquire: LockProvider["acquire"] = async (path, options) => {
        if (path.startsWith(home.file("locks"))) {
          asked += 1;
          if (asked === 1) await gate.promise;
        }
        return real.acquire(path, options);
      };
      const mine = session({ locks: { ...real, acquire } });
      await mine.ensureFresh();
      const out = mine.logout();
      const again = tokens.authority.login();
      await mine.login(credentialOf(again, HOUR));
      expect((await stored())?.accessToken).toBe(again.accessToken);
      gate.resolve();
      expect(await out).toEqual({ removed: true, failures: [] });
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "does not bring a login back from a restored copy after a logout that a backend failed in",
    proves("oauth-store/logout-wins", "oauth-store/store-went-back", "oauth-store/explains"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      const first = tokens.authority.login();
      await save(credentialOf(first));
      const restore = await backUp(path);
      const mine = session();
      const held = await mine.ensureFresh();
      const report = await session({ store: headlessStore() }).logout();
      expect(report).toMatchObject({ removed: true, failures: [{ store: "keyring" }] });
      expect((await setting.another().explain()).verdict).toBe("logged-out-elsewhere");
      await restore();
      await expect(mine.recover(held)).rejects.toEqual(code("SUPERSEDED"));
      expect((await stored())?.accessToken).toBe(first.accessToken);
      expect(mine.snapshot()).toBeUndefined();
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
