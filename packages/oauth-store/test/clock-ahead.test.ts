import { utimes } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { damage, recordPaths } from "./support/record-paths.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const DAY = 24 * 3_600_000;
const QUARTER = 15 * 60_000;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** Two processes whose clock is a day ahead, each killed between its claim and its send. */
async function claimedTwice(): Promise<void> {
  await setting.save(credentialOf(setting.tokens.authority.login(), -2 * DAY));
  for (let claims = 0; claims < 2; claims += 1) {
    const one = setting.another({ arm: ["claimed"], stillSinceMs: Date.now() + DAY });
    void one.ensureFresh().catch(() => {});
    await one.child.reached("claimed");
    await one.child.kill();
  }
}

it(
  "the second claim of the dead by a clock that was a day ahead is waited for once, for a quarter of an hour",
  proves("oauth-store/clock-jumps"),
  async () => {
    const { tokens, session } = setting;
    await claimedTwice();
    const clock = virtualClock();
    const { reason, retryAtMs } = await session({ clock })
      .ensureFresh()
      .catch((error: unknown) => Object(error));
    expect({ reason, waitMs: retryAtMs - clock.wallMs() }).toEqual({
      reason: "interrupted",
      waitMs: QUARTER,
    });
    await clock.advance(QUARTER);
    expect((await session({ clock }).ensureFresh()).generation).toBe(1);
    expect(tokens.authority.presented).toHaveLength(1);
  },
);

it(
  "a back-off by a clock that was a day ahead is waited for as long as the longest, by one start as by the next",
  proves("oauth-store/clock-jumps"),
  async () => {
    const { tokens, save, session } = setting;
    await save(credentialOf(tokens.authority.login(), -2 * DAY));
    tokens.authority.mischief.push({ status: 503 });
    const clock = virtualClock();
    const ahead = { ...clock, wallMs: () => clock.wallMs() + DAY };
    await expect(session({ clock: ahead }).ensureFresh()).rejects.toMatchObject({ reason: "http-503" });
    const retryAtMs = clock.wallMs() + QUARTER;
    for (let starts = 0; starts < 3; starts += 1) {
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ retryAtMs });
    }
    expect(tokens.authority.presented).toHaveLength(1);
    await clock.advance(QUARTER);
    expect((await session({ clock }).ensureFresh()).generation).toBe(1);
  },
);

it(
  "the second claim of the dead that cannot be read and was written a day ahead is not waited for",
  proves("oauth-store/clock-jumps", "oauth-store/record-damage"),
  async () => {
    const { tokens, session, home } = setting;
    await claimedTwice();
    const [, second = ""] = await recordPaths(home);
    await damage(second, "header");
    const ahead = new Date(Date.now() + DAY);
    await utimes(second, ahead, ahead);
    expect((await session().ensureFresh()).generation).toBe(1);
    expect(tokens.authority.presented).toHaveLength(1);
  },
);
