import { proves, type SpawnedChild, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialStore, createKeyringStore, flockProvider, type LockProvider } from "../src/index.ts";
import { canUseKeyring, useSecretService } from "./support/desktop.ts";
import { KEY } from "./support/memory-setting.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
const WRITERS = LONG ? 12 : 3;
const CHILD = new URL("./children/keyring-writer-child.ts", import.meta.url);
const service = useSecretService();

let home: TemporaryHome;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
  await home.remove();
});

async function writer(name: string, timeoutMs = 10_000): Promise<SpawnedChild> {
  const child = spawnChild({ script: CHILD, args: [home.path, KEY, name, String(timeoutMs)] });
  children.push(child);
  expect(await child.receive()).toBe("ready");
  return child;
}

/** A store like the children's, telling when it has to wait for a lock. */
function open(): CredentialStore & { readonly waits: () => number } {
  let waits = 0;
  const real = flockProvider();
  const locks: LockProvider = {
    ...real,
    acquire: (path, options) => real.acquire(path, { ...options, onContention: () => (waits += 1) }),
  };
  const store = createKeyringStore({ service: home.path, lockDirectory: home.file("locks"), locks });
  return { ...store, waits: () => waits };
}
const adding = (name: string) => (current: unknown) => ({ write: { ...(current as object), [name]: true } });

describe.skipIf(!canUseKeyring)("several processes at one entry of the keyring", () => {
  it(
    "wait for the one that has the lock, to write and to remove, and then see what it wrote",
    proves("oauth-store/contending-writers", "oauth-store/contending-readers"),
    async () => {
      const [mine, other] = [open(), open()];
      await mine.update(KEY, adding("first"));
      const child = await writer("theirs");
      child.arm("store/locked");
      child.send("go");
      await child.reached("store/locked");
      const seen: unknown[] = [];
      const writing = mine.update(KEY, (current) => {
        seen.push(current);
        return adding("mine")(current);
      });
      await expect.poll(mine.waits).toBe(1);
      // A read waits for nobody: one entry is there whole, or not at all.
      expect(await open().read(KEY)).toEqual({ first: true });
      child.release("store/locked");
      await writing;
      expect(await child.receive()).toBe("written");
      expect(seen).toEqual([{ first: true, theirs: true }]);
      expect(await other.read(KEY)).toEqual({ first: true, theirs: true, mine: true });

      const again = await writer("again");
      again.arm("keyring/set");
      again.send("go");
      await again.reached("keyring/set");
      const removing = other.update(KEY, (current) => {
        seen.push(current);
        return "remove";
      });
      await expect.poll(other.waits).toBe(1);
      again.release("keyring/set");
      await removing;
      expect(await again.receive()).toBe("written");
      expect(seen[1]).toMatchObject({ again: true });
      expect(await mine.read(KEY)).toBeUndefined();
    },
  );

  it(`${WRITERS} let loose at once lose nothing of each other's`, {
    ...proves("oauth-store/keyring-one-writer"),
    timeout: 60_000,
  }, async () => {
    const names = Array.from({ length: WRITERS }, (_, n) => `writer-${n}`);
    const crowd = await Promise.all(names.map((name) => writer(name)));
    for (const child of crowd) child.send("go");
    for (const child of crowd) expect(await child.receive()).toBe("written");
    const all = Object.fromEntries(names.map((name) => [name, true]));
    expect(await open().read(KEY)).toEqual(all);
  });

  it(
    "do not write while a write that another gave up may still land",
    proves("oauth-store/keyring-one-writer"),
    async () => {
      const mine = open();
      await mine.update(KEY, adding("R0"));
      const child = await writer("R1", 500);
      child.arm("store/decided");
      child.send("go");
      await child.reached("store/decided");
      process.kill(service().daemonPid, "SIGSTOP");
      child.release("store/decided");
      expect(await child.receive()).toBe("ERR_OAUTH_STORE_KEYRING_BUSY");
      await expect(mine.update(KEY, adding("R2"), { lockTimeoutMs: 50 })).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        message: expect.stringContaining(home.file("locks", "keyring-")),
      });
      const seen: unknown[] = [];
      const later = mine.update(KEY, (current) => {
        seen.push(current);
        return adding("R2")(current);
      });
      process.kill(service().daemonPid, "SIGCONT");
      await later;
      expect(seen).toEqual([{ R0: true, R1: true }]);
      await child.exited;
      expect(await mine.read(KEY)).toEqual({ R0: true, R1: true, R2: true });
    },
  );
});
