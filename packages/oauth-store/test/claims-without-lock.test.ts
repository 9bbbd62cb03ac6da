import { rm } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, type LockProvider } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { uselessLocks } from "./support/useless-locks.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "still sends each token once under locks that exclude nobody",
    proves("oauth-store/claim-without-lock"),
    async () => {
      const { tokens, save, session } = setting;
      const useless: LockProvider = {
        acquire: async () => ({ isIntact: () => true, release() {} }),
        tryLock: () => true,
        unlock() {},
        provesDeath: () => false,
      };
      for (let round = 0; round < 5; round += 1) {
        await save(credentialOf(tokens.authority.login()));
        const before = tokens.authority.presented.length;
        const all = Array.from({ length: 6 }, () => session({ locks: useless }));
        const handles = await Promise.all(all.map((one) => one.ensureFresh()));
        expect(new Set(handles.map((handle) => handle.view.accessToken)).size).toBe(1);
        expect(tokens.authority.presented.length - before).toBe(1);
      }
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );

  it(
    "does not send on a claim whose record was taken away and made anew by another one",
    proves("oauth-store/claim-without-lock"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const mine = gate("claimed");
      const theirs = gate("checked");
      let judged = 0;
      const first = session({
        locks: uselessLocks,
        faultPoint: async (name) => {
          if (name === "judged") judged += 1;
          await mine.faultPoint(name);
        },
      }).ensureFresh();
      await mine.reached;
      await rm(home.file("spend"), { recursive: true });
      const second = session({ locks: uselessLocks, faultPoint: theirs.faultPoint }).ensureFresh();
      await theirs.reached;
      mine.open();
      await expect.poll(() => judged > 1 || tokens.authority.presented.length > 0).toBe(true);
      expect(tokens.authority.presented).toEqual([]);
      theirs.open();
      expect((await first).view.accessToken).toBe((await second).view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "does not send under a lock file that was taken away",
    proves("oauth-store/lock-taken-away"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      let removed = 0;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "claimed" || removed++ > 0) return;
          await rm(home.file("locks"), { recursive: true });
        },
      });
      const handle = await mine.ensureFresh();
      expect(handle.generation).toBe(1);
      expect(removed).toBe(2);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "sends once where a claim was given back twice beside somebody who had judged before either",
    proves("oauth-store/claim-without-lock"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const gates = { late: gate("rehearsed"), next: gate("rehearsed"), restless: gate("third round") };
      const both = gate("sent");
      const grant = loopbackGrant(tokens.url);
      const sends: string[] = [];
      const judged = { late: 0, next: 0, restless: 0 };
      const clock = steppingClock();
      const start = (name: "late" | "next" | "restless") =>
        session({
          locks: uselessLocks,
          clock: name === "restless" ? clock : undefined,
          refreshGrant: async (input) => {
            sends.push(name);
            // Under way until nobody can be stopped any more.
            await both.faultPoint("sent");
            return grant(input);
          },
          faultPoint: async (point) => {
            if (point === "judged") judged[name] += 1;
            await gates[name].faultPoint(point);
            if (name !== "restless") return;
            // It sleeps after each claim, and gives it back.
            if (point === "claimed") clock.jump(3000);
            if (point === "locked" && judged.restless === 2) await gates.restless.faultPoint("third round");
          },
        }).ensureFresh();
      const late = start("late");
      await gates.late.reached;
      const restless = start("restless");
      await gates.restless.reached;
      const next = start("next");
      await gates.next.reached;
      gates.late.open();
      await expect.poll(() => sends.length > 0 || judged.late > 1).toBe(true);
      gates.next.open();
      await expect.poll(() => sends.length > 1 || judged.late > 1 || judged.next > 1).toBe(true);
      both.open();
      const [a, b] = await Promise.all([late, next]);
      gates.restless.open();
      expect(sends).toHaveLength(1);
      expect(a.view.accessToken).toBe(b.view.accessToken);
      expect((await restless).view.accessToken).toBe(a.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});
