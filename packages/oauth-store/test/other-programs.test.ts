import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createCredentialSession,
  createSingleFileStore,
  flockProvider,
  oauthCredential,
} from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

/** Events are waited for as long as it takes. */
const PATIENT = { timeout: 30_000, interval: 2 };

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A session that has been refused, where programs write without its lock; its time is moved from outside. */
async function refusedAmongOthers(): Promise<{ end(): unknown; until(ms: number): Promise<void> }> {
  const { tokens, session } = setting;
  tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
  const clock = virtualClock();
  const mine = session({ foreignWriters: true, clock });
  let end: unknown;
  void mine.ensureFresh({ signal: new AbortController().signal }).then(
    (handle) => {
      end = handle;
    },
    (error: unknown) => {
      end = error;
    },
  );
  await tokens.server.waitFor(1);
  const isWaiting = () => clock.timers() === 1 || end !== undefined;
  // Its request had a timer, too: what is waited for from here on is the next look at the store.
  const onlooker = session();
  const state = async () => (await onlooker.explain()).spends[0]?.state;
  await expect.poll(state, PATIENT).toBe("refused");
  return {
    end: () => end,
    async until(ms) {
      while (clock.monotonicMs() < ms && end === undefined) {
        await expect.poll(isWaiting, PATIENT).toBe(true);
        await clock.advance(Math.min(50, ms - clock.monotonicMs()));
      }
    },
  };
}

describe(createCredentialSession, () => {
  it(
    "believes a refusal when the store has not moved for 6 s, and not before",
    proves("oauth-store/foreign-writers"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login()));
      const refused = await refusedAmongOthers();
      await refused.until(5900);
      expect(refused.end()).toBeUndefined();
      await refused.until(6300);
      await expect.poll(refused.end, PATIENT).toMatchObject({ code: "ERR_OAUTH_STORE_REFUSED" });
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "takes up what another program saves in the sixth second after a refusal",
    proves("oauth-store/foreign-writers"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login("family")));
      const theirs = tokens.authority.login("family");
      const refused = await refusedAmongOthers();
      await refused.until(5500);
      expect(refused.end()).toBeUndefined();
      await save(credentialOf(theirs, HOUR));
      await refused.until(6300);
      await expect.poll(refused.end, PATIENT).toMatchObject({ view: { accessToken: theirs.accessToken } });
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "leaves another program its locks while an answer is awaited, and takes them in order around the save",
    proves("oauth-store/foreign-writers"),
    async () => {
      const { tokens, session, home } = setting;
      const real = flockProvider();
      const order: string[] = [];
      const lockPaths = [home.file("auth.lock"), home.file("auth.json.lock")];
      const locks: typeof real = {
        ...real,
        acquire: (at, options) => {
          order.push(at);
          return real.acquire(at, options);
        },
      };
      const store = createSingleFileStore({ path: home.file("auth.json"), lockPaths, locks });
      const entry = oauthCredential.serialize(credentialOf(tokens.authority.login()));
      await store.update(KEY, () => ({ write: entry }));
      order.length = 0;
      const kept = tokens.keepAnswers();
      const asked = session({ store }).ensureFresh();
      await tokens.server.waitFor(1);
      expect(order).toEqual([]);
      for (const at of lockPaths) (await real.acquire(at, { timeoutMs: 0 })).release();
      kept.release();
      expect((await asked).generation).toBe(1);
      expect(order).toEqual(lockPaths);
    },
  );
});
