import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { rename, stat, writeFile } from "node:fs/promises";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider } from "../src/index.ts";

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

const hasFlock = process.platform === "linux";

describe(flockProvider, () => {
  const locks = flockProvider();

  it(
    "excludes a second descriptor of the same process until it is released",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("locks", "a.lock");
      const first = await locks.acquire(path);
      let contended = 0;
      const order: string[] = [];
      const second = locks.acquire(path, { onContention: () => (contended += 1) }).then((lock) => {
        order.push("second");
        return lock;
      });
      await expect.poll(() => contended).toBe(1);
      order.push("first");
      first.release();
      (await second).release();
      expect(order).toEqual(["first", "second"]);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(path)).size).toBe(0);
      expect((await stat(home.file("locks"))).mode & 0o777).toBe(0o700);
    },
  );

  it(
    "gives up at its limit with an error that names the path, and leaves the lock as it was",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      const first = await locks.acquire(path);
      await expect(locks.acquire(path, { timeoutMs: 30 })).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        message: expect.stringContaining(path),
      });
      const leaving = new AbortController();
      const waiting = locks.acquire(path, { signal: leaving.signal });
      leaving.abort(new Error("gave up"));
      await expect(waiting).rejects.toThrow("gave up");
      first.release();
      (await locks.acquire(path, { timeoutMs: 0 })).release();
    },
  );

  it(
    "locks the file that is at the path, not one that was taken away",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      const first = await locks.acquire(path);
      // Callers of one provider queue, and open the file when it is their turn; this one has it open.
      const opened = Promise.withResolvers<void>();
      const second = flockProvider().acquire(path, { onContention: opened.resolve });
      await opened.promise;
      await rename(path, home.file("away"));
      await writeFile(path, "", { mode: 0o600 });
      expect(first.isIntact()).toBe(false);
      first.release();
      const lock = await second;
      expect(lock.isIntact()).toBe(true);
      await expect(locks.acquire(path, { timeoutMs: 10 })).rejects.toThrow();
      lock.release();
    },
  );

  it.skipIf(!hasFlock)(
    "excludes flock(1), and is free as soon as a killed holder is gone",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      await writeFile(path, "", { mode: 0o600 });
      const holder = spawn("flock", ["-x", path, "sh", "-c", "echo held; exec sleep 60"], { detached: true });
      await once(holder.stdout, "data");
      await expect(locks.acquire(path, { timeoutMs: 50 })).rejects.toThrow();
      process.kill(-(holder.pid ?? 0), "SIGKILL");
      (await locks.acquire(path, { timeoutMs: 5000 })).release();
    },
  );

  it(
    "is not inherited by a child that is started while it is held",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      const lock = await locks.acquire(path);
      const child = spawn(process.execPath, ["-e", "console.log(1);setTimeout(()=>{},60000)"]);
      await once(child.stdout, "data");
      lock.release();
      (await locks.acquire(path, { timeoutMs: 0 })).release();
      child.kill("SIGKILL");
    },
  );

  it.skipIf(!hasFlock)(
    "is given back by its holder, though a child was handed its descriptor",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      const lock = await locks.acquire(path);
      const numbers = readdirSync("/proc/self/fd").filter((number) => {
        try {
          return readlinkSync(`/proc/self/fd/${number}`) === path;
        } catch {
          return false; // That of the directory just read.
        }
      });
      expect(numbers).toHaveLength(1);
      const child = spawn(process.execPath, ["-e", "console.log(1);setTimeout(()=>{},60000)"], {
        stdio: ["ignore", "pipe", "ignore", Number(numbers[0])],
      });
      if (child.stdout) await once(child.stdout, "data");
      lock.release();
      (await locks.acquire(path, { timeoutMs: 0 })).release();
      child.kill("SIGKILL");
    },
  );

  it(
    "never blocks a thread: waiters of more providers than the pool has threads leave the file system usable",
    proves("oauth-store/real-locks"),
    async () => {
      const path = home.file("a.lock");
      const first = await locks.acquire(path);
      let contended = 0;
      const onContention = () => {
        contended += 1;
      };
      const waiters = Array.from({ length: 32 }, () => flockProvider().acquire(path, { onContention }));
      await expect.poll(() => contended).toBe(32);
      await writeFile(home.file("other"), "written while they wait");
      first.release();
      await Promise.all(waiters.map(async (waiter) => (await waiter).release()));
    },
  );
});
