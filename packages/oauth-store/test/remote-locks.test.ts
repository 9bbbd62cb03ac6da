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
