import { readFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { decodeHeader } from "../src/record-codec.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it.each([
    [30_000, 1],
    [30_001, 0],
  ])(
    "sends no refresh token with less than 15 s left for its answer: after %i ms of holding the lock, %i times",
    proves("oauth-store/hold-limits"),
    async (heldMs, sent) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const faultPoint = (name: string) => (name === "claimed" ? clock.advance(heldMs) : undefined);
      const { signal } = new AbortController();
      const end = await session({ clock, faultPoint })
        .ensureFresh({ signal })
        .catch((error: unknown) => error);
      expect(end).toMatchObject(sent === 1 ? { generation: 1 } : { reason: "slow-store" });
      expect(tokens.authority.presented).toHaveLength(sent);
      // What was not sent is not put off either.
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "lets nobody believe that a process is dead whose save of what only it has hangs, where locks prove nothing",
    proves("oauth-store/held"),
    async () => {
      const { tokens, save, session, store, home } = setting;
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      const clock = virtualClock();
      const second = Promise.withResolvers<void>();
      const hang = Promise.withResolvers<never>();
      let saves = 0;
      const first = session({
        locks: uselessLocks,
        clock,
        store: {
          ...store,
          async update() {
            saves += 1;
            if (saves === 1) throw new Error("not now");
            second.resolve();
            return hang.promise;
          },
        },
      });
      await first.ensureFresh();
      await clock.advance(100);
      await second.promise;
      const [record = ""] = await recordPaths(home);
      const leaseLeftMs = async () => {
        const header = decodeHeader(await readFile(record));
        return typeof header === "object" ? header.leaseUntilMs - clock.wallMs() : undefined;
      };
      for (let renewals = 0; renewals < 4; renewals += 1) {
        await clock.advance(20_000);
        await expect.poll(leaseLeftMs, { interval: 5 }).toBe(60_000);
      }
      await expect(session({ locks: uselessLocks, clock }).ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_HELD_ELSEWHERE",
      });
      expect(tokens.authority.presented).toEqual(["rt-short"]);
      hang.reject(new Error("not now either"));
      await first.settle();
    },
  );
});
