import { rm } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider, type OAuthCredential, readSpendRecords } from "../src/index.ts";
import { code } from "./support/code.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { damage, recordPaths } from "./support/record-paths.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const INVALID_GRANT = { status: 400, body: '{"error":"invalid_grant"}' };
const INVALID_CLIENT = { status: 401, body: '{"error":"invalid_client"}' };
const MINUTES = 60_000;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A process that asks for the credential and is killed at that point. */
async function killedAt(point: string): Promise<void> {
  const one = setting.another({ arm: [point] });
  one.ensureFresh();
  await one.child.reached(point);
  await one.child.kill();
}

/** What the records say, the lowest attempt first. */
async function records(): Promise<{ attempt: number; state: string; nextAtMs?: number | undefined }[]> {
  const all = await readSpendRecords({ home: setting.home.path, key: KEY });
  return [...all].sort((a, b) => a.attempt - b.attempt);
}

const attempts = async () => (await records()).map(({ attempt, state }) => [attempt, state]);

describe("a refresh token that was never spent", () => {
  it("is claimed as the first attempt", proves("oauth-store/next-starter"), async () => {
    const { tokens, save, session } = setting;
    await save(credentialOf(tokens.authority.login()));
    let seen: unknown;
    const mine = session({
      faultPoint: async (name) => {
        if (name === "claimed") seen = await attempts();
      },
    });
    await mine.ensureFresh();
    expect(seen).toEqual([[1, "claimed"]]);
    expect(await attempts()).toEqual([[1, "settled"]]);
  });
});

describe("a claimed one whose owner may live", () => {
  it.each(["claimed", "unreadable"])(
    "is not sent while its record is %s: the next one gives the lock up, looks again, and may leave",
    proves("oauth-store/next-starter", "oauth-store/callers-may-leave"),
    async (how) => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const owner = setting.another();
      const sent = owner.ensureFresh();
      await tokens.server.waitFor(1);
      // Only so does anybody get the lock beside a living owner.
      await rm(home.file("locks"), { recursive: true });
      const [record = ""] = await recordPaths(home);
      if (how === "unreadable") await damage(record, "header");

      let looks = 0;
      const locked: string[] = [];
      const locks = flockProvider();
      const next = session({
        locks: {
          ...locks,
          acquire: (path, options) => {
            locked.push(path);
            return locks.acquire(path, options);
          },
        },
        faultPoint: (name) => {
          if (name === "judged") looks += 1;
        },
      });
      const leaving = new AbortController();
      const left = next.ensureFresh({ signal: leaving.signal });
      left.catch(() => {});
      await expect.poll(() => looks).toBeGreaterThan(2);
      const lock = await locks.acquire(locked[0] ?? "", { timeoutMs: 5000 });
      lock.release();
      leaving.abort(new Error("gave up"));
      await expect(left).rejects.toThrow("gave up");
      const waiting = next.ensureFresh();
      expect(tokens.authority.presented).toHaveLength(1);

      kept.release();
      expect((await waiting).view.accessToken).toBe((await sent).accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("a claimed one whose owner is dead", () => {
  it(
    "is claimed a second time at once, and from then on only after the time that all share",
    proves("oauth-store/next-starter", "oauth-store/back-off-shared"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      await killedAt("claimed");
      await killedAt("claimed");
      expect(await attempts()).toEqual([
        [1, "claimed"],
        [2, "claimed"],
      ]);
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_TRANSIENT",
        reason: "interrupted",
      });
      expect(tokens.authority.presented).toEqual([]);
      await clock.advance(4000);
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
      expect(await attempts()).toContainEqual([3, "settled"]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "and whose record cannot be read is claimed a second time at once as well",
    proves("oauth-store/next-starter", "oauth-store/record-damage"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      await killedAt("claimed");
      const [record = ""] = await recordPaths(home);
      await damage(record, "header");
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(await attempts()).toContainEqual([2, "settled"]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("one whose attempts had no good end", () => {
  it.each([
    ["unknown", { status: 503 }],
    ["unknown", { lose: "before" as const }],
    ["unknown", { json: {} }],
    ["deferred", { status: 429 }],
    ["deferred", { status: 403, body: "<html>" }],
  ])(
    "%s, after %j: is sent by nobody before a time that starts at a second, doubles, and ends at a quarter of an hour",
    proves("oauth-store/next-starter", "oauth-store/back-off-shared"),
    async (state, trick) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const waits: number[] = [];
      for (let sends = 1; sends <= 12; sends += 1) {
        tokens.authority.mischief.push(trick);
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        const latest = (await records()).at(-1);
        expect(latest).toMatchObject({ attempt: sends, state });
        const waitMs = (latest?.nextAtMs ?? 0) - clock.wallMs();
        waits.push(waitMs);
        await clock.advance(waitMs - 1);
        await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ retryAtMs: latest?.nextAtMs });
        expect(tokens.authority.presented).toHaveLength(sends);
        await clock.advance(1);
      }
      const doubled = Array.from({ length: 12 }, (_, at) => Math.min(1000 * 2 ** at, 15 * MINUTES));
      expect(waits).toEqual(doubled);
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(13);
    },
  );

  it(
    "is served with its access token while that is valid, by every process, and sent by none",
    proves("oauth-store/next-starter", "oauth-store/valid-is-served"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, 25_000));
      tokens.authority.mischief.push({ status: 503 });
      const clock = virtualClock();
      for (let more = 0; more < 3; more += 1) {
        expect((await session({ clock }).ensureFresh()).view.accessToken).toBe(issued.accessToken);
      }
      const process = setting.another({ stillSinceMs: clock.wallMs() });
      expect((await process.ensureFresh()).accessToken).toBe(issued.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each<[string, object[], string]>([
    ["an answer that was lost", [{ lose: "after" }], "INTERRUPTED"],
    ["an answer that was lost, and one that put it off", [{ lose: "after" }, { status: 429 }], "INTERRUPTED"],
    ["answers that put it off only", [{ status: 429 }, { status: 403 }], "REFUSED"],
  ])(
    "and is refused in the end, after %s",
    proves("oauth-store/next-starter", "oauth-store/interrupted-is-named"),
    async (_name, tricks, end) => {
      const { tokens, save, session, events } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      for (const trick of [...tricks, INVALID_GRANT])
        tokens.authority.mischief.push(trick as typeof INVALID_GRANT);
      for (const _ of tricks) {
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        await clock.advance(MINUTES);
      }
      for (let more = 0; more < 2; more += 1) {
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code(end));
      }
      const verdict = end.toLowerCase();
      expect((await session({ clock }).explain()).verdict).toBe(verdict);
      expect(events).toContainEqual({ type: verdict, code: "invalid_grant" });
      expect(tokens.authority.presented).toHaveLength(tricks.length + 1);
    },
  );
});

describe("one whose answer is sealed", () => {
  it(
    "and does not open any more counts as unknown: nothing is sent before its time, then one attempt",
    proves("oauth-store/next-starter", "oauth-store/record-damage"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      await killedAt("sealed");
      const [record = ""] = await recordPaths(home);
      await damage(record, "body");
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      expect(tokens.authority.presented).toHaveLength(1);
      await clock.advance(3000);
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
      expect(await attempts()).toEqual([
        [1, "sealed"],
        [2, "refused"],
      ]);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("one whose answer is held by a process", () => {
  it(
    "is not sent while that lives; once it is killed, as after a claim of the dead",
    proves("oauth-store/next-starter", "oauth-store/held"),
    async () => {
      const { tokens, save, session, path } = setting;
      // Too short to seal with.
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      // Its time stands still: it does not try to save again.
      const holder = setting.another({ arm: ["sealed"], stillSinceMs: Date.now() });
      const served = holder.ensureFresh();
      await holder.child.reached("sealed");
      const unblock = await blockStore(path);
      holder.child.release("sealed");
      expect((await served).generation).toBe(1);
      await unblock();
      for (let more = 0; more < 2; more += 1) {
        await expect(session().ensureFresh()).rejects.toEqual(code("HELD_ELSEWHERE"));
        expect((await session().explain()).verdict).toBe("held-elsewhere");
      }
      expect(tokens.authority.presented).toHaveLength(1);

      await holder.child.kill();
      expect((await session().explain()).verdict).toBe("in-progress");
      await expect(session().ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("a refused one", () => {
  const changed = (
    issued: { accessToken: string; refreshToken: string },
    more: Partial<OAuthCredential>,
  ) => ({
    ...credentialOf(issued),
    ...more,
  });

  it(
    "is sent again once the stored credential is another, also with the same refresh token",
    proves("oauth-store/next-starter", "oauth-store/refused-once"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push(INVALID_GRANT);
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      await expect(setting.another().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(tokens.authority.presented).toHaveLength(1);
      await save(changed(issued, { scopes: ["a", "written by somebody since"] }));
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(await attempts()).toContainEqual([2, "settled"]);
      expect(tokens.authority.presented).toEqual([issued.refreshToken, issued.refreshToken]);
    },
  );

  it(
    "because of its client is sent again only for another client",
    proves("oauth-store/next-starter", "oauth-store/refused-once"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push(INVALID_CLIENT);
      for (let more = 0; more < 2; more += 1) {
        await expect(session().ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_REFUSED",
          reason: "invalid_client",
        });
        await save(changed(issued, { scopes: ["another"] }));
      }
      await expect(setting.another().ensureFresh()).rejects.toMatchObject({ reason: "invalid_client" });
      expect(tokens.authority.presented).toHaveLength(1);
      await save(changed(issued, { clientId: "registered-again" }));
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
