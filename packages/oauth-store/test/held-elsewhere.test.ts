import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { fileStoreAt } from "./support/file-store-at.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, type Session } from "./support/memory-setting.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  describe("what cannot be saved", () => {
    it(
      "held by this process alone, keeps every other one from sending",
      proves("oauth-store/held"),
      async () => {
        const { tokens, save, session, path, events } = setting;
        // Too short to seal with.
        await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
        tokens.authority.live.set("rt-short", "family");
        let unblock = async () => {};
        const first = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await first.ensureFresh();
        expect(events).toContainEqual({ type: "unsealed", code: "short-refresh-token" });
        await rename(`${path}.away`, `${path}.copy`);
        await writeFile(`${path}.away`, await readFile(`${path}.copy`), { mode: 0o600 });
        // Another process sees the old store, as if only this one could not write.
        const elsewhere = session({ store: fileStoreAt(`${path}.copy`) });
        await expect(elsewhere.ensureFresh()).rejects.toEqual(code("HELD_ELSEWHERE"));
        expect((await elsewhere.explain()).verdict).toBe("held-elsewhere");
        expect(tokens.authority.presented).toHaveLength(1);
        await unblock();
        await first.settle();
        expect((await session().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      },
    );
  });

  describe("a login made while this process is the only one to have a successor", () => {
    it.each(["once it was served", "on its way"])(
      "%s: keeps others from sending its predecessor until the login is saved, and after that",
      proves("oauth-store/held"),
      async (when) => {
        const { tokens, save, stored, session, home, path } = setting;
        await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
        tokens.authority.live.set("rt-short", "family");
        const copy = home.file(".credentials.copy.json");
        await copyFile(path, copy);
        const again = tokens.authority.login();
        let unblock = async () => {};
        let login: Promise<unknown> = Promise.resolve();
        const first: Session = session({
          faultPoint: async (name) => {
            if (name !== "sealed" || tokens.authority.presented.length > 1) return;
            unblock = await blockStore(path);
            if (when === "on its way") login = first.login(credentialOf(again, 3_600_000));
          },
        });
        await first.ensureFresh();
        if (when !== "on its way") login = first.login(credentialOf(again, 3_600_000));
        await login;
        expect((await first.status()).handle?.view.accessToken).toBe(again.accessToken);

        // Another process sees the old store, as if only this one could not write.
        const elsewhere = session({ store: fileStoreAt(copy) });
        await expect(elsewhere.ensureFresh()).rejects.toEqual(code("HELD_ELSEWHERE"));
        await unblock();
        await first.settle();
        expect((await stored())?.accessToken).toBe(again.accessToken);
        await expect(elsewhere.ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });
});

describe("a successor that only one process has", () => {
  it(
    "is protected by a lease that its custodian renews, where locks prove nothing",
    proves("oauth-store/held"),
    async () => {
      const { tokens, save, session, path, home, events } = setting;
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      const clock = virtualClock();
      let timers = 0;
      const after = (delayMs: number, run: () => void) => {
        timers += 1;
        return clock.after(delayMs, run);
      };
      let unblock = async () => {};
      const first = session({
        locks: uselessLocks,
        clock: { ...clock, after },
        faultPoint: async (name) => {
          if (name === "sealed") unblock = await blockStore(path);
        },
      });
      const b = await first.ensureFresh();
      await writeFile(home.file("credentials-copy"), await readFile(`${path}.away`), { mode: 0o600 });
      const elsewhere = session({
        locks: uselessLocks,
        clock,
        store: fileStoreAt(home.file("credentials-copy"), uselessLocks),
      });
      const signal = AbortSignal.timeout(60_000);
      const tries = () => events.filter((event) => event.type === "unpersisted").length;
      timers = 1; // The first try in the background; each sets one for its renewals, and one for the next.
      for (let minutes = 0; minutes < 10; minutes += 1) {
        for (let step = 0; step < 3; step += 1) {
          const before = tries();
          await clock.advance(20_000);
          await expect.poll(tries, { interval: 5 }).toBeGreaterThan(before);
          await expect.poll(() => timers, { interval: 5 }).toBe(2 * tries() - 1);
        }
        await expect(elsewhere.ensureFresh({ signal })).rejects.toEqual(code("HELD_ELSEWHERE"));
        expect((await elsewhere.explain()).verdict).toBe("held-elsewhere");
      }
      expect(tokens.authority.presented).toHaveLength(1);
      await unblock();
      await first.settle();
      expect((await session({ clock }).ensureFresh()).view.accessToken).toBe(b.view.accessToken);
    },
  );

  it(
    "keeps nobody out any more when its session was closed without saving it",
    proves("oauth-store/held"),
    async () => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      let unblock = async () => {};
      const first = session({
        faultPoint: async (name) => {
          if (name === "sealed") unblock = await blockStore(path);
        },
      });
      await first.ensureFresh();
      await first[Symbol.asyncDispose]();
      await unblock();
      await expect(session().ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
    },
  );
});
