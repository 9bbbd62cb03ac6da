import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, flockProvider, readSpendRecords } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  describe("without a provable death", () => {
    /** A claim whose owner is gone, for a token that expired two days ago. */
    async function deadClaim(): Promise<void> {
      const { tokens, save, home } = setting;
      await save(credentialOf(tokens.authority.login(), -48 * HOUR));
      const child = spawnChild({
        script: new URL("./children/session-child.ts", import.meta.url),
        arm: ["claimed"],
      });
      try {
        child.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers: 1 });
        await child.receive();
        child.send("go");
        await child.reached("claimed");
      } finally {
        await child.kill();
      }
    }

    it.each([
      ["waits for the lease of a claim whose owner is gone, to its end", 0],
      ["waits as long, and no longer, for one whose clock was a day ahead", -24 * HOUR],
    ])("%s", proves("oauth-store/claim-without-lock", "oauth-store/clock-jumps"), async (_, behindMs) => {
      const { tokens, session, home } = setting;
      await deadClaim();
      const [claimed] = await readSpendRecords({ home: home.path, key: KEY });
      const clock = virtualClock((claimed?.claimedAtMs ?? 0) + behindMs);
      let judged = 0;
      const next = session({
        locks: { ...flockProvider(), provesDeath: () => false },
        clock,
        faultPoint: (name) => {
          if (name === "judged") judged += 1;
        },
      });
      const waiting = next.ensureFresh({ signal: new AbortController().signal });
      await expect.poll(() => clock.timers()).toBe(1);
      await clock.advance(59_800);
      const before = judged;
      await expect
        .poll(async () => {
          await clock.advance(1);
          return judged > before && clock.timers() > 0;
        })
        .toBe(true);
      expect(tokens.authority.presented).toHaveLength(0);
      await expect
        .poll(async () => {
          await clock.advance(50);
          return tokens.authority.presented.length;
        })
        .toBe(1);
      expect((await waiting).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    });
  });

  describe("a process that slept past its lease between claim and send", () => {
    it.each(["rehearsed", "claimed"])(
      "does not send what another one has judged and %s meanwhile a second time",
      proves("oauth-store/claim-without-lock"),
      async (until) => {
        const { tokens, save, session } = setting;
        await save(credentialOf(tokens.authority.login()));
        const slow = { ...gate("claimed"), clock: steppingClock() };
        const other = { ...gate(until), clock: steppingClock() };
        const sent = Promise.withResolvers<void>();
        const both = gate("sent");
        const grant = loopbackGrant(tokens.url);
        const sends: string[] = [];
        const judged = { slow: 0, other: 0 };
        const options = (name: "slow" | "other", { faultPoint, clock }: typeof slow) => ({
          locks: uselessLocks,
          clock,
          faultPoint: async (point: string) => {
            if (point === "judged") judged[name] += 1;
            await faultPoint(point);
          },
          refreshGrant: async (input: Parameters<typeof grant>[0]) => {
            sends.push(name);
            sent.resolve();
            // Under way until nobody can be stopped any more.
            await both.faultPoint("sent");
            return grant(input);
          },
        });
        const first = session(options("slow", slow)).ensureFresh();
        await slow.reached;
        other.clock.advance(61_000);
        const second = session(options("other", other)).ensureFresh();
        await other.reached;
        slow.clock.jump(61_000);
        slow.open();
        if (until === "rehearsed") await sent.promise;
        other.open();
        await sent.promise;
        // Until the other of the two has sent as well, or has judged anew.
        const rest = sends[0] === "slow" ? "other" : "slow";
        const before = judged[rest];
        await expect.poll(() => sends.length > 1 || judged[rest] > before).toBe(true);
        both.open();
        const [a, b] = await Promise.all([first, second]);
        expect(sends).toHaveLength(1);
        expect(a.view.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
      },
    );

    it(
      "or that was taken for dead and seals meanwhile: its answer is finished, and nothing is sent",
      proves("oauth-store/claim-without-lock"),
      async () => {
        const { tokens, save, stored, session } = setting;
        await save(credentialOf(tokens.authority.login()));
        const sealed = gate("sealed");
        const answered = gate("answered");
        const slow = session({
          locks: uselessLocks,
          faultPoint: async (name) => {
            await answered.faultPoint(name);
            await sealed.faultPoint(name);
          },
        }).ensureFresh();
        await answered.reached;
        const judged = gate("rehearsed");
        const clock = steppingClock();
        clock.advance(61_000);
        const other = session({ locks: uselessLocks, clock, faultPoint: judged.faultPoint }).ensureFresh();
        await judged.reached;
        answered.open();
        await sealed.reached;
        judged.open();
        const b = await other;
        sealed.open();
        expect((await slow).view.accessToken).toBe(b.view.accessToken);
        expect((await stored())?.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });
});
