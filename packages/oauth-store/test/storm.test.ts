import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { createCredentialSession, isCredentialError, oauthCredential } from "../src/index.ts";
import { homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY, memorySetting, type Session } from "./support/memory-setting.ts";
import type { RotatingAuthority } from "./support/rotating-authority.ts";
import { steppingClock } from "./support/stepping-clock.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";

/** The same numbers for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function storm(options: {
  seed: number;
  steps: number;
  authority: RotatingAuthority;
  open(clock: ReturnType<typeof steppingClock>): Session;
  stored(): Promise<{ refreshToken?: string | undefined } | undefined>;
}): Promise<void> {
  const { seed, steps, authority, open, stored } = options;
  const random = numbers(seed);
  const clock = steppingClock();
  const sessions = [open(clock), open(clock), open(clock)];
  const calls: Promise<unknown>[] = [];
  const call = (work: PromiseLike<unknown>) => {
    calls.push(
      Promise.resolve(work).catch((error: unknown) => {
        if (!isCredentialError(error)) throw error;
        expect(error.reason ?? "").not.toContain("internal");
      }),
    );
  };
  await sessions[0]?.login(credentialOf(authority.login(), HOUR));
  for (let step = 0; step < steps; step += 1) {
    const at = Math.floor(random() * sessions.length);
    const session = sessions[at] ?? open(clock);
    const handle = session.snapshot();
    const dice = random();
    if (dice < 0.25) call(session.ensureFresh());
    else if (dice < 0.5) call(session.refresh());
    else if (dice < 0.65 && handle) call(session.recover(handle));
    else if (dice < 0.7) call(session.login(credentialOf(authority.login(), random() < 0.5 ? HOUR : -1)));
    else if (dice < 0.72) call(session.logout());
    else if (dice < 0.77) {
      sessions[at] = open(clock);
      call(session[Symbol.asyncDispose]());
    } else if (dice < 0.85) authority.mischief.push({ status: random() < 0.5 ? 500 : 429 });
    else if (dice < 0.9) authority.mischief.push({ lose: "before" });
    else clock.advance(random() * 5000);
    if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(calls);
  await Promise.all(sessions.map((session) => session.settle()));
  authority.mischief.length = 0;
  clock.advance(HOUR / 2);

  // No answer was lost: then no token was ever used twice, and whoever is logged in can go on.
  expect(authority.revokedFamilies.size, `seed ${seed}`).toBe(0);
  const now = await stored();
  if (now) {
    expect(authority.isLive(now.refreshToken), `seed ${seed}`).toBe(true);
    const last = open(clock);
    await last.refresh();
    await last[Symbol.asyncDispose]();
  }
  await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
}

describe("a storm of sessions, logins, logouts and failing answers", () => {
  it("never sends a token twice and loses no login, in memory", {
    ...proves("oauth-store/one-grant-for-all"),
    timeout: LONG ? 600_000 : 20_000,
  }, async () => {
    for (let seed = 1; seed <= (LONG ? 2000 : 60); seed += 1) {
      const { session, authority, stored } = memorySetting();
      await storm({ seed, steps: 80, authority, open: (clock) => session({ clock }), stored });
    }
  });

  it("never sends a token twice and loses no login, on disk", {
    ...proves("oauth-store/one-grant-for-all"),
    timeout: LONG ? 600_000 : 30_000,
  }, async () => {
    for (let seed = 1; seed <= (LONG ? 200 : 4); seed += 1) {
      const setting = await homeSetting();
      const { authority } = setting.tokens;
      const open = (clock: ReturnType<typeof steppingClock>) =>
        createCredentialSession({
          kind: oauthCredential,
          store: setting.store,
          key: KEY,
          home: setting.home.path,
          clock,
          random: () => 0,
          refreshGrant: async ({ refreshToken }) => {
            await new Promise((resolve) => setImmediate(resolve));
            return authority.grant(refreshToken);
          },
        });
      try {
        await storm({ seed, steps: 60, authority, open, stored: setting.stored });
      } finally {
        await setting[Symbol.asyncDispose]();
      }
    }
  });
});
