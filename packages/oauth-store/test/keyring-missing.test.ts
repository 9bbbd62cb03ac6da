import { readFile } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createAggregateFileStore,
  createKeyringStore,
  oauthCredential,
  resolveCredentialStore,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { barePackage } from "./support/bare-package.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";

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

  it(
    "really without it: a session with the mode auto says so, sends nothing, and leaves the file alone",
    proves("oauth-store/keyring-told-apart", "oauth-store/lock-is-no-keyring-error"),
    async () => {
      const text = await expired(home);
      const child = spawnChild({
        script: await barePackage(home, "bare-child.ts", "with locks"),
        args: [home.path, KEY],
        env: { NODE_PATH: undefined },
      });
      try {
        const error = { code: missing.code, message: missing.message };
        expect(await child.receive()).toEqual({ used: error, saved: error, grants: 0, events: [] });
      } finally {
        await child[Symbol.asyncDispose]();
      }
      expect(await readFile(home.file(".credentials.json"), "utf8")).toBe(text);
    },
  );

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

/** A login in the file whose access token has expired. */
async function expired(home: TemporaryHome): Promise<string> {
  const issued = { accessToken: "at", refreshToken: "a-refresh-token-that-is-long" };
  const text = JSON.stringify({ [KEY]: oauthCredential.serialize(credentialOf(issued)) });
  await home.write(".credentials.json", text);
  return text;
}
