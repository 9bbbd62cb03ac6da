import { chmod, chown, mkdir, readdir, rm } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEncryptedFileStore } from "../src/index.ts";
import { KEY } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";

/** Root may write anywhere: the reader is somebody else, who owns the home. */
const uid = process.getuid?.() === 0 ? 65534 : undefined;

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
  await plainFile.open(home.path).update(KEY, () => ({ write: "valid" }));
  await rm(home.file("locks"), { recursive: true });
});
afterEach(async () => {
  await give(0);
  await chmod(home.path, 0o700);
  await home.remove();
});

async function give(owner: number): Promise<void> {
  if (uid === undefined) return;
  const names = await readdir(home.path, { recursive: true });
  for (const path of [home.path, ...names.map((name) => home.file(name))]) await chown(path, owner, owner);
}

async function readAsOwner(mode: number): Promise<unknown> {
  await give(uid ?? 0);
  await chmod(home.path, mode);
  await using child = spawnChild({
    script: new URL("./children/unwritable-child.ts", import.meta.url),
    args: [home.path, KEY],
    env: { HAWSER_TEST_UID: uid?.toString() },
  });
  return await child.receive();
}

describe.skipIf(process.platform === "win32")("auto, with an encrypted file, in a home without locks", () => {
  it.each(["is not there", "is not there, nor its directory"])(
    "that nobody can write to: an encrypted file that %s is believed to hold nothing",
    proves("oauth-store/read-only-home"),
    async (where) => {
      if (where === "is not there") await mkdir(home.file("secrets"), { mode: 0o500 });
      expect(await readAsOwner(0o500)).toEqual({ entry: "valid", place: "file" });
    },
  );

  it(
    "that nobody can write to: what the encrypted file holds comes first",
    proves("oauth-store/read-only-home"),
    async () => {
      await createEncryptedFileStore({
        path: home.file("secrets", "credentials.enc"),
        lockPath: home.file("locks", "secrets-store.lock"),
        key: { file: home.file("credentials.key") },
      }).update(KEY, () => ({ write: "encrypted" }));
      await rm(home.file("locks"), { recursive: true });
      expect(await readAsOwner(0o500)).toEqual({ entry: "encrypted", place: "keyring" });
    },
  );

  it(
    "where an encrypted file could still be made: that it holds nothing is not believed",
    proves("oauth-store/lock-is-no-keyring-error"),
    async () => {
      await mkdir(home.file("secrets"), { mode: 0o700 });
      expect(await readAsOwner(0o500)).toEqual({ code: "ERR_OAUTH_STORE_NOT_WRITABLE", reason: "EACCES" });
    },
  );
});
