import { open } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { flockProvider } from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

// As if everything stood on NFS.
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  statfsSync: () => ({ type: 0x6969 }),
}));

/** Tries that are under way on another thread, and how many were at once. */
const tries = vi.hoisted(() => ({ now: 0, most: 0, onThisThread: 0 }));

vi.mock("../src/native-lock.ts", async (original) => {
  const { loadNativeLock } = await original<typeof import("../src/native-lock.ts")>();
  return {
    loadNativeLock() {
      const real = loadNativeLock();
      const native: typeof real = {
        ...real,
        tryLock(descriptor) {
          tries.onThisThread += 1;
          return real.tryLock(descriptor);
        },
        async tryLockAside(descriptor) {
          tries.now += 1;
          tries.most = Math.max(tries.most, tries.now);
          try {
            return await real.tryLockAside(descriptor);
          } finally {
            tries.now -= 1;
          }
        },
      };
      return native;
    },
  };
});

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

it.skipIf(process.platform !== "linux")(
  "on a network file system, locks exclude, time out and prove nothing, and no try blocks the thread",
  proves("oauth-store/remote-locks"),
  async () => {
    const locks = flockProvider();
    const path = setting.home.file("a.lock");
    expect(locks.provesDeath(path)).toBe(false);
    const file = await open(path, "wx", 0o600);
    const tried = locks.tryLock(file.fd, path);
    expect(tried).toBeInstanceOf(Promise);
    expect(await tried).toBe(true);
    await file.close();
    const first = await locks.acquire(path);
    await expect(locks.acquire(path, { timeoutMs: 60 })).rejects.toMatchObject({
      code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
      message: expect.stringContaining(path),
    });
    const gone = new AbortController();
    const left = locks.acquire(path, { signal: gone.signal });
    gone.abort(new Error("gave up"));
    await expect(left).rejects.toThrow("gave up");
    const waiters = Array.from({ length: 16 }, () => locks.acquire(path));
    first.release();
    for (const waiter of waiters) (await waiter).release();
    (await locks.acquire(path, { timeoutMs: 1000 })).release();
    // Who does not want to wait for the lock waits for the answer.
    (await locks.acquire(path, { timeoutMs: 0 })).release();
  },
);

it.skipIf(process.platform !== "linux")(
  "on a network file system, tries for many locks at once are made one after the other, and none on this thread",
  proves("oauth-store/remote-locks"),
  async () => {
    const locks = flockProvider();
    tries.most = 0;
    const paths = Array.from({ length: 12 }, (_, n) => setting.home.file(`${n}.lock`));
    const all = await Promise.all(paths.map((path) => locks.acquire(path)));
    expect(tries).toEqual({ now: 0, most: 1, onThisThread: 0 });
    for (const lock of all) lock.release();
  },
);

it.skipIf(process.platform !== "linux")(
  "on a network file system, sessions still send once",
  proves("oauth-store/remote-locks"),
  async () => {
    const { tokens, save, session } = setting;
    await save(credentialOf(tokens.authority.login()));
    const locks = flockProvider();
    const handles = await Promise.all(Array.from({ length: 4 }, () => session({ locks }).ensureFresh()));
    expect(new Set(handles.map((handle) => handle.view.accessToken)).size).toBe(1);
    expect(tokens.authority.presented).toHaveLength(1);
  },
);
