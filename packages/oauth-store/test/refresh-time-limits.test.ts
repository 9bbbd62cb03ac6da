import { getEventListeners } from "node:events";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { SpendSummary, StoreUpdateOptions } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)("the time one refresh may take, %s", (_where, newSetting) => {
  it(
    "ends the wait for an answer 45 s after the lock, and gives the lock back",
    proves("oauth-store/hold-limits"),
    async () => {
      const clock = virtualClock();
      const store = newSetting();
      await store.save(credentialOf(store.authority.login()));
      const aborted: boolean[] = [];
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      let signal: AbortSignal | undefined;
      const mine = store.session({
        clock,
        faultPoint: (name) => (name === "checked" ? clock.advance(10_000) : undefined),
        refreshGrant: async (input) => {
          signal = input.signal;
          resolve();
          return new Promise(() => {});
        },
      });
      const call = mine.ensureFresh({ signal: new AbortController().signal });
      call.catch(() => {});
      await asked;
      await clock.advance(34_900);
      aborted.push(signal?.aborted ?? true);
      await clock.advance(100);
      aborted.push(signal?.aborted ?? false);
      await clock.advance(300);
      await expect(call).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_TRANSIENT", reason: "timeout" });
      expect(aborted).toEqual([false, true]);
      expect((await store.session({ clock }).explain()).spends).toMatchObject([{ state: "unknown" }]);
      await clock.advance(3000);
      expect((await store.session({ clock }).ensureFresh()).generation).toBe(1);
    },
  );

  it(
    "sends nothing when the store was so slow that no answer could be waited for",
    proves("oauth-store/hold-limits"),
    async () => {
      const clock = virtualClock();
      const store = newSetting({
        clock,
        faultPoint: (name) => (name === "claimed" ? clock.advance(45_000) : undefined),
      });
      await store.save(credentialOf(store.authority.login()));
      const { signal } = new AbortController();
      await expect(store.session().ensureFresh({ signal })).rejects.toMatchObject({ reason: "slow-store" });
      expect(store.grants).toEqual([]);
      expect((await store.session().explain()).spends.filter(isSent)).toEqual([]);
    },
  );

  it(
    "tries to save until 55 s after the lock; then the successor is served unsaved",
    proves("oauth-store/hold-limits", "oauth-store/unsaved-is-kept"),
    async () => {
      const clock = virtualClock();
      const limits: (number | undefined)[] = [];
      let busy = true;
      const store = newSetting({
        clock,
        wrap: (inner) => ({
          ...inner,
          update: (key, change, options: StoreUpdateOptions = {}) => {
            limits.push(options.lockTimeoutMs);
            return busy && limits.length > 1
              ? Promise.reject(new Error("busy"))
              : inner.update(key, change, options);
          },
        }),
        faultPoint: (name) => (name === "sealed" && busy ? clock.advance(44_000) : undefined),
      });
      await store.save(credentialOf(store.authority.login()));
      const mine = store.session();
      const handle = await mine.ensureFresh({ signal: new AbortController().signal });
      expect(handle.generation).toBe(1);
      expect(limits).toEqual([undefined, 11_000]);
      expect((await mine.status()).failure).toMatchObject({
        code: "ERR_OAUTH_STORE_NOT_WRITABLE",
        permanent: false,
      });
      busy = false;
      await mine.settle();
      expect((await store.stored())?.accessToken).toBe(handle.view.accessToken);
      expect(store.authority.presented).toHaveLength(1);
    },
  );

  it(
    "a caller without a signal waits 30 s, one with a signal until that, and leaves no listener behind",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const clock = virtualClock();
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const store = newSetting({ clock });
      await store.save(credentialOf(store.authority.login()));
      const mine = store.session({
        refreshGrant: async ({ refreshToken }) => {
          await gate;
          return store.authority.grant(refreshToken);
        },
      });
      const leaving = new AbortController();
      const patient = mine.ensureFresh({ signal: leaving.signal });
      const plain = mine.ensureFresh();
      plain.catch(() => {});
      await clock.advance(29_999);
      await clock.advance(2);
      await expect(plain).rejects.toEqual(code("WAIT_TIMEOUT"));
      open();
      expect((await patient).generation).toBe(1);
      expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
      await mine.refresh();
      await mine.settle();
      expect(clock.timers()).toBe(0);
    },
  );

  it(
    "a caller who has a token that is still valid waits 5 s for a better one",
    proves("oauth-store/callers-may-leave", "oauth-store/valid-is-served"),
    async () => {
      const clock = virtualClock();
      const asked = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const store = newSetting({ clock });
      const issued = store.authority.login();
      await store.save(credentialOf(issued, 20_000));
      const mine = store.session({
        refreshGrant: async ({ refreshToken }) => {
          asked.resolve();
          await gate.promise;
          return store.authority.grant(refreshToken);
        },
      });
      const call = mine.ensureFresh();
      await asked.promise;
      await clock.advance(5001);
      expect((await call).view.accessToken).toBe(issued.accessToken);
      gate.resolve();
      await mine.settle();
      expect(mine.snapshot()?.generation).toBe(1);
    },
  );
});

/** A claim that was given back may leave its number behind. */
function isSent({ outcomeCode }: SpendSummary): boolean {
  return outcomeCode !== "not-sent";
}
