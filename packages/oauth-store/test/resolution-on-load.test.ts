import { writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveCredentialStore } from "../src/index.ts";
import { code } from "./support/code.ts";
import { KEY } from "./support/memory-setting.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";
import { dismissed, noBus } from "./support/scripted-keyring.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  describe("loading", () => {
    it(
      "takes the keyring's entry, though the file has one too",
      proves("oauth-store/auto-load"),
      async () => {
        const { events, file, keyring, resolved } = stores;
        await put(keyring, "K");
        await put(file, "F");
        const store = resolved();
        expect(store.resolution(KEY)).toBeUndefined();
        expect(await store.read(KEY)).toBe("K");
        expect(store.resolution(KEY)).toBe("keyring");
        expect(events).toEqual([
          {
            type: "resolved",
            key: KEY,
            mode: "auto",
            keyringBackend: "keyring",
            place: "keyring",
            reason: "auto_load_keyring",
          },
        ]);
        expect(stores.fileReads).toBe(0);
      },
    );

    it("takes the file where the keyring has no entry", proves("oauth-store/auto-load"), async () => {
      const { file, resolved, told } = stores;
      await put(file, "F");
      const store = resolved();
      expect(await store.read(KEY)).toBe("F");
      expect(store.resolution(KEY)).toBe("file");
      expect(told()).toEqual(["auto_load_file_keyring_missing"]);
    });

    it(
      "takes the file, with a warning, where the keyring fails",
      proves("oauth-store/auto-load"),
      async () => {
        const { scripted, events, file, resolved } = stores;
        await put(file, "F");
        scripted.failWith(noBus);
        expect(await resolved().read(KEY)).toBe("F");
        expect(events).toMatchObject([
          { type: "fallback", during: "load", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE", reason: "no-bus" },
          { type: "resolved", place: "file", reason: "auto_load_file_keyring_error" },
        ]);
      },
    );

    it(
      "warns of each failure of the keyring once, however often it is asked, and anew after a logout",
      proves("oauth-store/auto-load"),
      async () => {
        const { scripted, events, resolved } = stores;
        const store = resolved();
        const warned = () => events.splice(0).map((event) => [event.key, "code" in event && event.code]);
        const [absent, locked] = ["UNAVAILABLE", "LOCKED"].map((name) => `ERR_OAUTH_STORE_KEYRING_${name}`);
        scripted.failWith(noBus);
        for (let reads = 0; reads < 3; reads += 1) await store.read(KEY);
        await store.read("other|0");
        expect(warned()).toEqual([
          [KEY, absent],
          ["other|0", absent],
        ]);
        scripted.failWith(dismissed);
        for (let reads = 0; reads < 3; reads += 1)
          await expect(store.read(KEY)).rejects.toEqual(code("KEYRING_LOCKED"));
        expect(warned()).toEqual([[KEY, locked]]);
        scripted.failWith(undefined);
        await store.removeEverywhere?.(KEY);
        scripted.failWith(noBus);
        await store.read(KEY);
        expect(warned()).toEqual([[KEY, absent]]);
      },
    );

    it("names both where both fail, and decides nothing", proves("oauth-store/auto-load"), async () => {
      const { home, scripted, resolved } = stores;
      await writeFile(home.file(".credentials.json"), "broken", { mode: 0o600 });
      scripted.failWith(noBus);
      const store = resolved();
      await expect(store.read(KEY)).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_UNRESOLVED",
        message: expect.stringMatching(/keyring \(.*KEYRING_UNAVAILABLE\).*file \(.*CORRUPT\)/),
      });
      expect(store.resolution(KEY)).toBeUndefined();
    });

    it(
      "decides nothing where nothing is stored, and looks again",
      proves("oauth-store/auto-load"),
      async () => {
        const { events, keyring, resolved } = stores;
        const store = resolved();
        expect(await store.read(KEY)).toBeUndefined();
        expect(events).toEqual([]);
        await put(keyring, "K");
        expect(await store.read(KEY)).toBe("K");
      },
    );

    it.each([
      ["prompt-dismissed", "KEYRING_LOCKED", dismissed],
      ["no-answer", "KEYRING_UNAVAILABLE", new Error("DBus error: Did not receive a reply.")],
      ["ambiguous", "KEYRING_UNAVAILABLE", new Error("multiple credentials match")],
      ["platform", "KEYRING_UNAVAILABLE", new Error("something new")],
    ])(
      "does not guess that there is no login behind a keyring that failed: %s",
      proves("oauth-store/auto-load"),
      async (reason, name, error) => {
        const { scripted, events, file, resolved } = stores;
        scripted.failWith(error);
        await expect(resolved().read(KEY)).rejects.toMatchObject({ code: `ERR_OAUTH_STORE_${name}`, reason });
        await put(file, "F");
        expect(await resolved().read(KEY)).toBe("F");
        expect(events.at(-1)).toMatchObject({ type: "resolved", reason: "auto_load_file_keyring_error" });
      },
    );

    it.each([
      ["no bus", noBus],
      ["no service", new Error("org.freedesktop.secrets was not provided by any .service files")],
      ["no collection", new Error("Secret Service: no result found")],
    ])(
      "knows that there is no login where there is %s",
      proves("oauth-store/auto-load"),
      async (_, error) => {
        const { scripted, resolved } = stores;
        scripted.failWith(error);
        expect(await resolved().read(KEY)).toBeUndefined();
      },
    );
  });
});
