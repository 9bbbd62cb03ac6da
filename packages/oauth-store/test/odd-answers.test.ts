import { existsSync } from "node:fs";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialKind,
  createCredentialNesting,
  flockProvider,
  type HeldLock,
  type LockProvider,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  readSpendRecords,
  storeKey,
} from "../src/index.ts";
import { fileStore } from "./support/file-store.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY, SERVER, type Session } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const HOUR = 3_600_000;
const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const records = () => readSpendRecords({ home: setting.home.path, key: KEY });

/** Real locks, and how often each file was locked. */
function countingLocks() {
  const locks = flockProvider();
  const acquired: string[] = [];
  const acquire: typeof locks.acquire = (path, options) => {
    acquired.push(path);
    return locks.acquire(path, options);
  };
  return { locks: { ...locks, acquire }, acquired };
}

// On real files under real locks, each step in turn.
describe("a grant", () => {
  it("that uses its own session is told so at once", proves("oauth-store/nested-downwards"), async () => {
    const { tokens, save, session } = setting;
    await save(credentialOf(tokens.authority.login()));
    const grant = loopbackGrant(tokens.url);
    const seen: unknown[] = [];
    const mine: Session = session({
      refreshGrant: async (input) => {
        await mine.ensureFresh().catch((error: unknown) => seen.push(error));
        return grant(input);
      },
    });
    expect((await mine.ensureFresh()).generation).toBe(1);
    expect(seen).toEqual([code("REENTERED")]);
    expect(tokens.authority.presented).toHaveLength(1);
  });

  it(
    "that waits for a credential below its own is well; one above its own is refused at once",
    proves("oauth-store/nested-downwards"),
    async () => {
      const { tokens, save, session, store } = setting;
      await save(credentialOf(tokens.authority.login()));
      const below = storeKey("below", SERVER.serverUrl);
      const account = oauthCredential.serialize(credentialOf(tokens.authority.login()));
      await store.update(below, () => ({ write: account }));
      const scope = createCredentialNesting();
      const grant = loopbackGrant(tokens.url);
      const seen: unknown[] = [];
      const refused = (error: unknown) => void seen.push(error);
      const lower: Session = session({
        key: below,
        nesting: { scope, level: "account" },
        refreshGrant: async (input) => {
          await upper.ensureFresh().catch(refused);
          return grant(input);
        },
      });
      const upper: Session = session({
        nesting: { scope, level: "resource" },
        refreshGrant: async (input) => {
          await lower.ensureFresh();
          return grant(input);
        },
      });
      expect((await upper.ensureFresh()).generation).toBe(1);
      expect(seen).toEqual([code("REENTERED")]);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

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

describe("what was pinned at a login", () => {
  it(
    "reaches every refresh of that login, in every session, and none of another login",
    proves("oauth-store/pins-reach-the-grant"),
    async () => {
      const { tokens, session, path } = setting;
      const grant = loopbackGrant(tokens.url);
      const seen: unknown[] = [];
      const refreshGrant: typeof grant = (input) => {
        seen.push([input.pins, input.credential.issuer]);
        return grant(input);
      };
      const pins = { issuer: "https://as.example", endpoint: "https://as.example/token", resource: "r" };
      const mine = session({ refreshGrant });
      await mine.login(credentialOf(tokens.authority.login()), { pins });
      await mine.refresh();
      const restore = await backUp(path);
      await session({ refreshGrant }).refresh();
      // Back to the generation before: the session that has the later one writes it again, and goes on.
      await mine.recover(await mine.ensureFresh());
      await restore();
      await mine.refresh();
      expect(seen).toEqual(Array(seen.length).fill([pins, "https://as.example"]));
      expect(seen.length).toBeGreaterThan(2);

      seen.length = 0;
      const other = { ...credentialOf(tokens.authority.login()), issuer: "https://other.example" };
      await session().login(other);
      await session({ refreshGrant }).ensureFresh();
      expect(seen).toEqual([[{}, "https://other.example"]]);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});

describe("a store that moves while it is judged", () => {
  it(
    "is judged anew under the same lock, twice at most; then nothing was sent",
    proves("oauth-store/starts-over"),
    async () => {
      const { tokens, save, session } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      const { locks, acquired } = countingLocks();
      let rounds = 0;
      const mine = session({
        locks,
        faultPoint: async (name) => {
          if (name === "claimed") {
            rounds += 1;
            await save({ ...credentialOf(issued), scopes: [`round-${rounds}`] });
          }
        },
      });
      await expect(mine.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_TRANSIENT",
        reason: "store-moves",
        retry: "after",
      });
      expect(rounds).toBe(3);
      expect(acquired.filter((path) => path.includes("locks/") && !path.includes("mcp"))).toHaveLength(1);
      expect(tokens.authority.presented).toEqual([]);
      // What was claimed in vain stops nobody.
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it.each(["another login", "nothing"])(
    "and holds %s when the claim stands: that is taken, and nothing is sent",
    proves("oauth-store/starts-over", "oauth-store/login-wins"),
    async (what) => {
      const { tokens, save, session, store } = setting;
      await save(credentialOf(tokens.authority.login()));
      const theirs = tokens.authority.login();
      let claims = 0;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "claimed" || claims++ > 0) return;
          if (what === "nothing") await store.update(KEY, () => "remove");
          else await save(credentialOf(theirs, HOUR));
        },
      });
      if (what === "nothing")
        await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      else expect((await mine.ensureFresh()).view.accessToken).toBe(theirs.accessToken);
      expect(tokens.authority.presented).toEqual([]);
      expect(await records()).toMatchObject([{ state: "deferred", outcomeCode: "not-sent" }]);
    },
  );

  it(
    "as when the clocks move apart before the send: everything is judged anew, and sent once",
    proves("oauth-store/starts-over", "oauth-store/clock-jumps"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      let checks = 0;
      const mine = session({
        clock,
        faultPoint: (name) => {
          if (name === "checked" && checks++ === 0) clock.jump(2001);
        },
      });
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(checks).toBe(2);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("what this process could not save", () => {
  it("is saved before anything is judged or sent", proves("oauth-store/unsaved-is-kept"), async () => {
    const { tokens, save, stored, session, path, events } = setting;
    await save(credentialOf(tokens.authority.login()));
    let unblock = async () => {};
    const mine = session({
      // Time stands still: it is not saved in the background.
      clock: virtualClock(),
      faultPoint: async (name) => {
        if (name === "sealed" && tokens.authority.presented.length === 1) unblock = await blockStore(path);
      },
    });
    const b = await mine.ensureFresh();
    await unblock();
    const c = await mine.recover(b);
    expect(c.generation).toBe(2);
    expect((await stored())?.accessToken).toBe(c.view.accessToken);
    expect(events.map(({ type }) => type)).toEqual(["unpersisted", "refreshed", "persisted", "refreshed"]);
    expect(tokens.authority.presented).toHaveLength(2);
    expect(tokens.authority.revokedFamilies.size).toBe(0);
  });
});

describe("an answer", () => {
  const bad = [
    ["another token type", { access_token: "at-bad", token_type: "N_A" }, "token-type"],
    ["no access token", { token_type: "Bearer" }, "no-access-token"],
    ["a lifetime of -1", { access_token: "at-bad", expires_in: -1 }, "lifetime"],
    ["a lifetime that is no number", { access_token: "at-bad", expires_in: {} }, "lifetime"],
  ] as const;

  it.each(bad)(
    "with %s beside a refresh token: that is kept, the access token marked, and the next attempt put off",
    proves("oauth-store/odd-answers"),
    async (_name, answer, reason) => {
      const { tokens, save, stored, session } = setting;
      const issued = tokens.authority.login("f");
      await save(credentialOf(issued, 20_000));
      const next = tokens.authority.login("f");
      tokens.authority.mischief.push({ json: { ...answer, refresh_token: next.refreshToken } });
      const clock = virtualClock();
      for (let more = 0; more < 2; more += 1) {
        await expect(session({ clock }).refresh()).rejects.toMatchObject({ reason, retry: "after" });
      }
      const now = await stored();
      expect(now).toMatchObject({ refreshToken: next.refreshToken, accessToken: issued.accessToken });
      expect(now?.expiresAtMs).toBeLessThanOrEqual(clock.wallMs());
      await clock.advance(4000);
      expect((await session({ clock }).ensureFresh()).generation).toBe(2);
      expect(tokens.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
    },
  );

  it(
    "is sealed before it is judged: also of one with a bad field the refresh token survives kill -9",
    proves("oauth-store/odd-answers", "oauth-store/crash-loses-nothing"),
    async () => {
      const { tokens, save, stored, session } = setting;
      const issued = tokens.authority.login("f");
      await save(credentialOf(issued));
      const next = tokens.authority.login("f");
      tokens.authority.mischief.push({
        json: { access_token: "at-bad", token_type: "N_A", refresh_token: next.refreshToken },
      });
      const victim = setting.another({ arm: ["sealed"] });
      victim.ensureFresh();
      await victim.child.reached("sealed");
      await victim.child.kill();
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ reason: "token-type" });
      expect(await stored()).toMatchObject({ refreshToken: next.refreshToken });
      await clock.advance(4000);
      await session({ clock }).ensureFresh();
      expect(tokens.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
    },
  );

  it(
    "of more than 1 MiB is not read as one: the attempt counts as unknown",
    proves("oauth-store/transient-is-not-permanent"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const json = {
        access_token: "at",
        refresh_token: "rt-too-late-to-be-read",
        filler: "x".repeat(1 << 20),
      };
      tokens.authority.mischief.push({ json });
      const clock = virtualClock();
      await expect(session({ clock }).ensureFresh()).rejects.toMatchObject({ reason: "unreadable" });
      expect(await records()).toMatchObject([{ state: "unknown" }]);
      await clock.advance(3000);
      expect((await session({ clock }).ensureFresh()).generation).toBe(1);
    },
  );

  it(
    "without lifetime, refresh token or scopes: the first is unknown from then on, the others are kept",
    proves("oauth-store/lifetimes", "oauth-store/not-rotating"),
    async () => {
      const { tokens, save, store, session } = setting;
      const issued = tokens.authority.login();
      await save({ ...credentialOf(issued), scopes: ["a", "b"] });
      tokens.authority.mischief.push({ json: { access_token: "at-next" } });
      await session().ensureFresh();
      expect(await store.read(KEY)).toMatchObject({
        access_token: "at-next",
        refresh_token: issued.refreshToken,
        expires_at: null,
        scopes: ["a", "b"],
      });
      expect(await records()).toEqual([]);
      const clock = virtualClock();
      await clock.advance(1000 * HOUR);
      expect((await session({ clock }).ensureFresh()).view.accessToken).toBe("at-next");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "for another account stays sealed, and nothing is sent by anybody until a login",
    proves("oauth-store/no-wrong-owner"),
    async () => {
      const { tokens, save, stored, session } = setting;
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        validate: (previous, answer) =>
          JSON.stringify(answer).includes("somebody-else")
            ? { outcome: "wrong-account" }
            : oauthCredential.validate(previous, answer),
      };
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push({
        json: { access_token: "somebody-else", refresh_token: "rt-of-somebody-else-0000000" },
      });
      for (let more = 0; more < 3; more += 1) {
        await expect(session({ kind }).ensureFresh()).rejects.toEqual(code("WRONG_OWNER"));
      }
      expect(await records()).toMatchObject([{ state: "sealed", outcomeCode: "wrong-account" }]);
      expect((await session({ kind }).explain()).verdict).toBe("wrong-account");
      expect((await stored())?.refreshToken).toBe(issued.refreshToken);
      expect(tokens.authority.presented).toHaveLength(1);
      const mine = session({ kind });
      await mine.login(credentialOf(tokens.authority.login()));
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("a store that another program changed while the answer was on its way", () => {
  it.each(["with the same refresh token", "with another one", "to nothing"])(
    "%s: it is merged with that, or gives way to it",
    proves("oauth-store/compare-and-swap"),
    async (what) => {
      const { tokens, save, stored, store, session, path } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      const kept = tokens.keepAnswers();
      const call = session().ensureFresh();
      call.catch(() => {});
      await tokens.server.waitFor(1);
      const theirs = tokens.authority.login();
      if (what === "with another one") await save(credentialOf(theirs, HOUR));
      else if (what === "to nothing") await store.update(KEY, () => "remove");
      else {
        await store.update(KEY, (now) => ({
          write: { ...(now as Record<string, never>), their_member: [1] },
        }));
      }
      kept.release();
      if (what === "with the same refresh token") {
        const { view } = await call;
        expect(await store.read(KEY)).toMatchObject({ access_token: view.accessToken, their_member: [1] });
        expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
        expect((await session().refresh()).generation).toBe(2);
      } else if (what === "with another one") {
        expect((await call).view.accessToken).toBe(theirs.accessToken);
        expect((await stored())?.refreshToken).toBe(theirs.refreshToken);
        expect(await records()).toMatchObject([{ state: "settled", outcomeCode: "replaced" }]);
      } else {
        await expect(call).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        expect(existsSync(path)).toBe(false);
        expect(await records()).toMatchObject([{ state: "settled", outcomeCode: "absent" }]);
      }
      expect(tokens.authority.presented.filter((one) => one === issued.refreshToken)).toHaveLength(1);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});

describe("a store that went back, and moves on while the newer generation is written again", () => {
  it(
    "keeps what was put there since",
    proves("oauth-store/compare-and-swap", "oauth-store/store-went-back"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      const theirs = tokens.authority.login();
      let wentBack = false;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "judged" || !wentBack) return;
          wentBack = false;
          await save(credentialOf(theirs, HOUR));
        },
      });
      const b = await mine.ensureFresh();
      await mine.recover(b);
      await restore();
      wentBack = true;
      expect((await mine.refresh()).view.accessToken).toBe(theirs.accessToken);
      expect((await stored())?.refreshToken).toBe(theirs.refreshToken);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("a grant that provably never left", () => {
  it(
    "leaves no doubt behind: a refusal after it is a refusal, not an interrupted refresh",
    proves("oauth-store/next-starter", "oauth-store/interrupted-is-named"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const clock = virtualClock();
      const refreshGrant = async () => ({ sent: "no", code: "dns" }) as const;
      await expect(session({ clock, refreshGrant }).ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_TRANSIENT",
        reason: "dns",
      });
      expect(await records()).toMatchObject([{ state: "deferred", outcomeCode: "dns" }]);
      await clock.advance(3000);
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("the end of a flight", () => {
  it(
    "that brings the very generation that was rejected starts one more, for whoever joined it",
    proves("oauth-store/flight-tail"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const committed = Promise.withResolvers<void>();
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "committed") return;
          committed.resolve();
          await gate;
        },
      });
      await mine.ensureFresh();
      const forced = mine.refresh();
      await committed.promise;
      // Somebody else has read what was saved a moment ago, used it, and was rejected.
      const b = await session().ensureFresh();
      const recovering = mine.recover(b);
      open();
      expect((await forced).generation).toBe(b.generation);
      expect((await recovering).generation).toBe(b.generation + 1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
