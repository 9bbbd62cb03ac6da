import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveCredentialStore } from "../src/index.ts";
import { KEY } from "./support/memory-setting.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";
import { dismissed, noBus } from "./support/scripted-keyring.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  describe("saving what has no place yet", () => {
    it("uses the keyring, and clears the file", proves("oauth-store/auto-save"), async () => {
      const { file, keyring, resolved, told } = stores;
      await put(file, "older");
      const store = resolved();
      await put(store, "new");
      expect(await keyring.read(KEY)).toBe("new");
      expect(await file.read(KEY)).toBeUndefined();
      expect(told()).toEqual(["auto_save_keyring"]);
    });

    it("clears the file in the mode keyring too", proves("oauth-store/auto-save"), async () => {
      const { file, keyring, resolved } = stores;
      await put(file, "older");
      await put(resolved({ mode: "keyring" }), "new");
      expect(await keyring.read(KEY)).toBe("new");
      expect(await file.read(KEY)).toBeUndefined();
    });

    it.each([
      ["noBus", noBus, ["fallback", "resolved"]],
      ["dismissed", dismissed, ["fallback", "resolved", "leftover"]],
    ])(
      "uses the file, with a warning, where the keyring fails: %s",
      proves("oauth-store/auto-save"),
      async (_, error, warnings) => {
        const { scripted, events, resolved } = stores;
        scripted.failWith(error);
        const store = resolved();
        await put(store, "new");
        expect(await store.read(KEY)).toBe("new");
        expect(store.resolution(KEY)).toBe("file");
        expect(events.map(({ type }) => type)).toEqual(warnings);
      },
    );

    it("does not take its caller's failure for the keyring's", proves("oauth-store/auto-save"), async () => {
      const { events, file, resolved } = stores;
      const error = new Error("the caller's");
      await expect(
        resolved().update(KEY, () => {
          throw error;
        }),
      ).rejects.toThrow(error);
      expect(await file.read(KEY)).toBeUndefined();
      expect(events).toEqual([]);
    });
  });
});
