import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider, type HeldLock, type LockProvider } from "../src/index.ts";
import { code } from "./support/code.ts";
import { fileStore } from "./support/file-store.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("the time it takes", () => {
  it(
    "is bounded at the store as well: with 44 s gone its lock is waited for 11 s, then the successor is served unsaved",
    proves("oauth-store/hold-limits", "oauth-store/unsaved-is-kept"),
    async () => {
      const { tokens, save, stored, session, home, events } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const hasty = hastyLocks();
      const limits: (number | undefined)[] = [];
      const storeLock = home.file("mcp-oauth-locks", "file-store.lock");
      const locks: LockProvider = {
        ...hasty,
        acquire: (path, options) => {
          if (path === storeLock) limits.push(options?.timeoutMs);
          return hasty.acquire(path, options);
        },
      };
      let kept: HeldLock | undefined;
      const mine = session({
        clock,
        locks,
        store: fileStore(home.path, locks),
        faultPoint: async (name) => {
          if (name !== "sealed") return;
          await clock.advance(44_000);
          kept = await flockProvider().acquire(storeLock);
        },
      });
      const handle = await mine.ensureFresh({ signal: new AbortController().signal });
      expect(handle.generation).toBe(1);
      expect(limits).toEqual([11_000]);
      expect(events[0]).toEqual({ type: "unpersisted", code: "ERR_OAUTH_STORE_LOCK_TIMEOUT" });
      kept?.release();
      await mine.settle();
      expect((await stored())?.accessToken).toBe(handle.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it("and with 45 s gone before the send, nothing is sent", proves("oauth-store/hold-limits"), async () => {
    const { tokens, save, session } = setting;
    await save(credentialOf(tokens.authority.login()));
    const clock = virtualClock();
    const mine = session({
      clock,
      faultPoint: (name) => (name === "claimed" ? clock.advance(45_000) : undefined),
    });
    const { signal } = new AbortController();
    await expect(mine.ensureFresh({ signal })).rejects.toMatchObject({ reason: "slow-store" });
    expect(tokens.authority.presented).toEqual([]);
    expect((await session({ clock }).ensureFresh()).generation).toBe(1);
  });

  it(
    "is waited for 30 s by a caller without a deadline; the answer is saved all the same",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const { tokens, save, stored, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const kept = tokens.keepAnswers();
      const mine = session({ clock });
      const ends: unknown[] = [];
      const call = mine.ensureFresh().catch((error: unknown) => ends.push(error));
      await tokens.server.waitFor(1);
      await clock.advance(29_999);
      expect(ends).toEqual([]);
      await clock.advance(1);
      await call;
      expect(ends).toEqual([code("WAIT_TIMEOUT")]);
      kept.release();
      await mine.settle();
      expect((await stored())?.accessToken).toBe(mine.snapshot()?.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
