import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createAggregateFileStore,
  createKeyringStore,
  resolveCredentialStore,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { KEY } from "./support/memory-setting.ts";

vi.mock("node:module", async (original) => {
  const real = await original<typeof import("node:module")>();
  const createRequire = (from: string) =>
    Object.assign(real.createRequire(from), {
      resolve() {
        throw new Error("Cannot find module");
      },
    });
  return { ...real, createRequire };
});

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

describe("without the keyring package", () => {
  const missing = {
    code: "ERR_OAUTH_STORE_KEYRING_MISSING",
    retry: "never",
    message: expect.stringMatching(/@napi-rs\/keyring.*install/),
  };
  const open = () => createKeyringStore({ service: "S", lockDirectory: home.file("locks") });

  it("says what to install, at the first use", proves("oauth-store/keyring-told-apart"), async () => {
    const store = open();
    await expect(store.read(KEY)).rejects.toMatchObject(missing);
    await expect(store.update(KEY, () => ({ write: 1 }))).rejects.toMatchObject(missing);
    await expect(store.rehearse(KEY, 1)).rejects.toMatchObject(missing);
  });

  it("is no reason to use the file instead", proves("oauth-store/lock-is-no-keyring-error"), async () => {
    const file = createAggregateFileStore({
      path: home.file(".credentials.json"),
      lockPath: home.file("locks", "file-store.lock"),
    });
    await file.update(KEY, () => ({ write: "F" }));
    const events: StoreResolutionEvent[] = [];
    const store = resolveCredentialStore({
      mode: "auto",
      file,
      keyring: open(),
      onEvent: (event) => events.push(event),
    });
    await expect(store.read(KEY)).rejects.toMatchObject(missing);
    await expect(store.update(KEY, () => ({ write: "new" }))).rejects.toMatchObject(missing);
    expect(await file.read(KEY)).toBe("F");
    expect(events).toEqual([]);
  });
});
