import { readdir, readFile } from "node:fs/promises";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialStore,
  createKeyringStore,
  createSingleFileStore,
  type JsonValue,
} from "../src/index.ts";
import { encryptedFile } from "./support/encrypted-file.ts";
import { KEY } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { type ScriptedKeyring, scriptedKeyring } from "./support/scripted-keyring.ts";

const NUMBERS = '{"ns":1764183600123456789,"ratio":1.0,"far":1e999}';

let home: TemporaryHome;
let scripted: ScriptedKeyring;
beforeEach(async () => {
  home = await temporaryHome();
  scripted = scriptedKeyring();
});
afterEach(() => home.remove());

const single = () => createSingleFileStore({ path: home.file("auth.json") });
const keyring = () =>
  createKeyringStore({ service: "S", lockDirectory: home.file("locks"), keyring: scripted });
/** A refresh: what is there, with another token. */
const renew = (current: JsonValue | undefined) => ({
  write: { ...(current as { [name: string]: JsonValue }), token: "new" },
});

describe("a number that another program wrote", () => {
  it(
    "stays as it is in a shared file, in its own entry and in others'",
    proves("oauth-store/numbers-kept", "oauth-store/entries-kept"),
    async () => {
      const other = `"other|1":{"deep":[${NUMBERS}]}`;
      await home.write(".credentials.json", `{${other},"${KEY}":{"token":"old","seen":${NUMBERS}}}`);
      const store = plainFile.open(home.path);
      await store.update(KEY, renew);
      const renewed = `"${KEY}":{"token":"new","seen":${NUMBERS}}`;
      const text = () => readFile(home.file(".credentials.json"), "utf8");
      expect(await text()).toBe(`{${other},${renewed}}`);
      await store.update("third|1", () => ({ write: 1 }));
      expect(await text()).toBe(`{${other},${renewed},"third|1":1}`);
      await store.update(KEY, () => "remove");
      expect(await text()).toBe(`{${other},"third|1":1}`);
      expect(await store.read("other|1")).toEqual({ deep: [JSON.parse(NUMBERS)] });
    },
  );

  it("stays as it is in a file of its own", proves("oauth-store/numbers-kept"), async () => {
    await home.write("auth.json", `{"token":"old","seen":${NUMBERS}}`);
    await single().update(KEY, renew);
    const text = await readFile(home.file("auth.json"), "utf8");
    expect(text.replace(/\s/g, "")).toBe(`{"token":"new","seen":${NUMBERS}}`);
  });

  it("stays as it is in the keyring", proves("oauth-store/numbers-kept"), async () => {
    scripted.secrets.set(`S ${KEY}`, `{"token":"old","seen":${NUMBERS}}`);
    await keyring().update(KEY, renew);
    expect([...scripted.secrets.values()]).toEqual([`{"token":"new","seen":${NUMBERS}}`]);
  });
});

describe("what could never be read again", () => {
  const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels)) as JsonValue;
  const stores: [name: string, open: () => CredentialStore, deepest: number][] = [
    ["shared file", () => plainFile.open(home.path), 255],
    ["encrypted file", () => encryptedFile.open(home.path), 255],
    ["single file", single, 64],
    ["keyring", keyring, 64],
  ];

  it.each(stores)(
    "is not written, nor rehearsed, for its depth: %s",
    proves("oauth-store/readable-again"),
    async (_, open, deepest) => {
      const store = open();
      await store.rehearse(KEY, nested(deepest));
      await store.update(KEY, () => ({ write: nested(deepest) }));
      const refused = {
        code: "ERR_OAUTH_STORE_NOT_WRITABLE",
        message: expect.stringContaining("too deeply"),
      };
      for (const levels of [deepest + 1, 5000]) {
        await expect(store.rehearse(KEY, nested(levels))).rejects.toMatchObject(refused);
        await expect(store.update(KEY, () => ({ write: nested(levels) }))).rejects.toMatchObject(refused);
      }
      expect(await open().read(KEY)).toEqual(nested(deepest));
    },
  );

  it.each([
    ["shared file", () => plainFile.open(home.path), 17],
    ["encrypted file", () => encryptedFile.open(home.path), 13],
    ["single file", single, 17],
  ])(
    "is not written, nor rehearsed, for its size: %s",
    proves("oauth-store/readable-again"),
    async (_, open, mebibytes) => {
      const store = open();
      const huge = "x".repeat(mebibytes * 1024 * 1024);
      await store.update(KEY, () => ({ write: "small" }));
      const before = (await readdir(home.path)).sort();
      const refused = { code: "ERR_OAUTH_STORE_NOT_WRITABLE", reason: "too-large" };
      await expect(store.rehearse(KEY, huge)).rejects.toMatchObject(refused);
      await expect(store.update(KEY, () => ({ write: huge }))).rejects.toMatchObject(refused);
      expect(await open().read(KEY)).toBe("small");
      expect((await readdir(home.path)).sort()).toEqual(before);
    },
  );
});
