import type { BigIntStats, PathLike } from "node:fs";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flockProvider } from "../src/index.ts";

/** How often the number of the file at the path is still to be another than at the look before. */
const moves = vi.hoisted(() => ({ left: 0 }));

// As if somebody put another file in the place of the lock all the time, or the file system could not keep its numbers.
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const lstatSync = (path: PathLike, options: { bigint: true; throwIfNoEntry: false }) => {
    const stats = fs.lstatSync(path, options) as BigIntStats | undefined;
    if (stats && options.bigint && moves.left > 0) stats.ino += BigInt(moves.left--);
    return stats;
  };
  return { ...fs, lstatSync };
});

/** More than anybody looks at it in a moment, and few enough to come to an end. */
const ALL_THE_TIME = 100_000;

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(async () => {
  moves.left = 0;
  await home.remove();
});

describe("a lock file that is another at each look", () => {
  it("is not waited for longer than the limit", proves("oauth-store/real-locks"), async () => {
    moves.left = ALL_THE_TIME;
    const path = home.file("a.lock");
    await expect(flockProvider().acquire(path, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
      message: expect.stringContaining(path),
    });
    expect(moves.left).toBeGreaterThan(ALL_THE_TIME - 1000);
  });

  it(
    "leaves other work its turn, and whoever waits can leave",
    proves("oauth-store/real-locks"),
    async () => {
      moves.left = ALL_THE_TIME;
      const leaving = new AbortController();
      setImmediate(() => leaving.abort(new Error("gave up")));
      await expect(flockProvider().acquire(home.file("a.lock"), { signal: leaving.signal })).rejects.toThrow(
        "gave up",
      );
      expect(moves.left).toBeGreaterThan(0);
    },
  );

  it(
    "is locked when it stays, and nobody is told of another holder",
    proves("oauth-store/real-locks"),
    async () => {
      moves.left = 2;
      let contended = 0;
      const lock = await flockProvider().acquire(home.file("a.lock"), {
        onContention: () => {
          contended += 1;
        },
      });
      expect(lock.isIntact()).toBe(true);
      expect(moves.left).toBe(0);
      expect(contended).toBe(0);
      lock.release();
    },
  );
});
