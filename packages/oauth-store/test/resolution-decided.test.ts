import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { oauthCredential, resolveCredentialStore } from "../src/index.ts";
import { code } from "./support/code.ts";
import { credentialOf, KEY, memorySetting } from "./support/memory-setting.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";
import { dismissed, noBus } from "./support/scripted-keyring.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  describe("once it is decided", () => {
    it(
      "a failing keyring is an error, the file's older entry is not used, and what is held stays good",
      proves("oauth-store/pinned"),
      async () => {
        const { home, scripted, file, keyring, resolved } = stores;
        const setting = memorySetting({ store: resolved(), home: home.path });
        const login = setting.authority.login();
        const credential = (accessToken: string, leftMs: number) =>
          oauthCredential.serialize(credentialOf({ ...login, accessToken }, leftMs));
        await file.update(KEY, () => ({ write: credential("stale-F", 3_600_000) }));
        await keyring.update(KEY, () => ({ write: credential("K", 3_600_000) }));
        const session = setting.session();
        const handle = await session.ensureFresh();
        expect(handle.view.accessToken).toBe("K");
        scripted.failWith(noBus);
        const error = await session.recover(handle).catch((failure: unknown) => failure);
        expect(error).toMatchObject({
          code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
          message: expect.stringMatching(/failed to reread.*resolved keyring store.*no other store/),
        });
        expect(session.snapshot()).toBe(handle);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
        const unsaved = setting.session();
        await unsaved.login(credentialOf(setting.authority.login(), 60_000));
        expect(setting.authority.presented).toEqual([]);
        expect(await file.read(KEY)).toMatchObject({ access_token: "stale-F" });
        expect(stores.fileReads).toBe(1);
        scripted.failWith(undefined);
        await unsaved.settle();
        await unsaved[Symbol.asyncDispose]();
      },
    );

    it(
      "a login made while the keyring fails is saved over what was there, as soon as that can be",
      proves("oauth-store/pinned", "oauth-store/login-wins"),
      async () => {
        const { home, scripted, resolved } = stores;
        const setting = memorySetting({ store: resolved({ mode: "keyring" }), home: home.path });
        await setting.save(credentialOf({ ...setting.authority.login(), accessToken: "old" }, 60_000));
        scripted.failWith(dismissed);
        const session = setting.session();
        await session.login(credentialOf({ ...setting.authority.login(), accessToken: "new" }, 60_000));
        scripted.failWith(undefined);
        await session.settle();
        expect((await setting.stored())?.accessToken).toBe("new");
        await session[Symbol.asyncDispose]();
      },
    );

    it.each(["auto", "keyring"] as const)(
      "a login clears a copy in the file that came there since, and a refresh does not look there: %s",
      proves("oauth-store/auto-save", "oauth-store/pinned"),
      async (mode) => {
        const { events, file, keyring, resolved } = stores;
        await put(keyring, "K");
        const store = resolved({ mode });
        expect(await store.read(KEY)).toBe("K");
        await put(file, "of another process, which had no keyring");
        stores.fileReads = 0;
        await put(store, "refreshed");
        expect(stores.fileReads).toBe(0);
        expect(await file.read(KEY)).toBe("of another process, which had no keyring");
        await store.update(KEY, () => ({ write: "login" }), { quarantine: true });
        expect(await keyring.read(KEY)).toBe("login");
        expect(await file.read(KEY)).toBeUndefined();
        expect(events.map(({ type }) => type)).toEqual(["resolved"]);
      },
    );

    it(
      "sessions made anew read from the same store, and nothing is decided again",
      proves("oauth-store/decided-once"),
      async () => {
        const { home, scripted, file, keyring, resolved, told } = stores;
        await file.update(KEY, () => ({
          write: oauthCredential.serialize(credentialOf({ accessToken: "F" }, 3_600_000)),
        }));
        const store = resolved();
        const setting = memorySetting({ store, home: home.path });
        const handles = await Promise.all(
          Array.from({ length: 5 }, () => setting.session()).map((session) => session.ensureFresh()),
        );
        await put(keyring, "a newer entry in the other store");
        for (let again = 0; again < 3; again += 1) handles.push(await setting.session().ensureFresh());
        expect(new Set(handles.map((handle) => handle.view.accessToken))).toEqual(new Set(["F"]));
        expect(scripted.calls.filter((call) => call.startsWith("get"))).toHaveLength(1 + 2);
        expect(told()).toEqual(["auto_load_file_keyring_missing"]);
      },
    );

    it(
      "those who come while it is being decided get the same decision",
      proves("oauth-store/decided-once"),
      async () => {
        const { scripted, events, file, resolved } = stores;
        const answer = scripted.stick("get");
        await put(file, "F");
        const store = resolved();
        const reads = [store.read(KEY), store.read(KEY)];
        const saving = put(store, "new");
        answer();
        expect(await Promise.all(reads)).toEqual(["F", "F"]);
        await saving;
        expect(await file.read(KEY)).toBe("new");
        expect(scripted.secrets.size).toBe(0);
        expect(events).toHaveLength(1);
      },
    );

    it("an explicit mode uses its store and no other", proves("oauth-store/pinned"), async () => {
      const { scripted, file, resolved, told } = stores;
      await put(file, "F");
      expect(await resolved({ mode: "keyring" }).read(KEY)).toBeUndefined();
      scripted.failWith(noBus);
      await expect(resolved({ mode: "keyring" }).read(KEY)).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
      await expect(put(resolved({ mode: "keyring" }), "new")).rejects.toEqual(code("KEYRING_UNAVAILABLE"));
      expect(await resolved({ mode: "file" }).read(KEY)).toBe("F");
      expect(await resolved({ mode: "file", keyring: undefined }).read(KEY)).toBe("F");
      expect(told()).toEqual(["configured_load", "configured_load"]);
      expect(() => resolved({ keyring: undefined })).toThrow(TypeError);
    });
  });
});
