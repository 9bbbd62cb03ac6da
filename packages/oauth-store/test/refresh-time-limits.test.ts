import { getEventListeners } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialKind,
  createCredentialNesting,
  flockProvider,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  type SpendSummary,
  type StoreUpdateOptions,
} from "../src/index.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { hastyLocks } from "./support/hasty-locks.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY, type Session } from "./support/memory-setting.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

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

describe("a lock that somebody keeps", () => {
  it(
    "past the limit is named, changes nothing, and does not keep a valid token from being used",
    proves("oauth-store/lock-kept"),
    async () => {
      const { tokens, save, stored, session, home } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, 20_000));
      const mine = session({ locks: hastyLocks() });
      await mine.ensureFresh();
      await mine.settle();
      const b = await mine.ensureFresh();
      const { readdir } = await import("node:fs/promises");
      const [name = ""] = await readdir(home.file("locks"));
      const kept = await flockProvider().acquire(home.file("locks", name));
      await expect(mine.recover(b)).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_LOCK_TIMEOUT",
        retry: "after",
        message: expect.stringContaining(name),
      });
      const before = tokens.authority.presented.length;
      const again = tokens.authority.login();
      await save(credentialOf(again, 20_000));
      expect((await session({ locks: hastyLocks() }).ensureFresh()).view.accessToken).toBe(again.accessToken);
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect((await mine.status()).state).toBe("usable");
      expect(tokens.authority.presented).toHaveLength(before);
      kept.release();
    },
  );

  it(
    "does not lose a login that could not wait for it: it is served, and saved afterwards",
    proves("oauth-store/lock-kept", "oauth-store/login-wins"),
    async () => {
      const { tokens, save, stored, session, home, events } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session({ locks: hastyLocks() });
      await mine.recover(await mine.ensureFresh());
      const { readdir } = await import("node:fs/promises");
      const [name = ""] = await readdir(home.file("locks"));
      const kept = await flockProvider().acquire(home.file("locks", name));
      const again = tokens.authority.login();
      const handle = await mine.login(credentialOf(again, HOUR));
      expect(handle.view.accessToken).toBe(again.accessToken);
      expect(events).toContainEqual({ type: "unpersisted", code: "ERR_OAUTH_STORE_LOCK_TIMEOUT" });
      expect(await mine.ensureFresh()).toBe(handle);
      expect((await stored())?.accessToken).not.toBe(again.accessToken);
      kept.release();
      await expect.poll(async () => (await stored())?.accessToken).toBe(again.accessToken);
    },
  );
});

describe("reading", () => {
  it(
    "takes no lock: a fresh token, the status and the explanation are there while somebody keeps all of them",
    proves("oauth-store/reading-takes-no-lock"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session();
      await mine.refresh();
      const { readdir } = await import("node:fs/promises");
      const names = (await readdir(home.file("locks"))).map((name) => home.file("locks", name));
      names.push(home.file("mcp-oauth-locks", "file-store.lock"));
      const kept = await Promise.all(names.map((name) => flockProvider().acquire(name)));
      for (const one of [mine, session()]) {
        expect((await one.ensureFresh()).generation).toBe(1);
        expect((await one.status()).state).toBe("usable");
        expect((await one.explain()).verdict).toBe("working");
      }
      for (const lock of kept) lock.release();
    },
  );
});

describe("two stores for one credential", () => {
  it(
    "share the records: what was spent from one is not sent from the other, which is brought forward",
    proves("oauth-store/records-know-no-store"),
    async () => {
      const { tokens, save, session, path, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const stale = home.file("credentials-stale");
      await writeFile(stale, await readFile(path), { mode: 0o600 });
      const first = session();
      const b = await first.ensureFresh();
      const elsewhere = () => storeAt(stale).then((store) => session({ store }));
      expect((await (await elsewhere()).ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);

      await first.recover(b);
      await first.refresh();
      await expect((await elsewhere()).refresh()).rejects.toEqual(code("SUPERSEDED"));
      expect(tokens.authority.presented).toHaveLength(3);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});

describe.each(bothSettings)("a clock that jumps a day, %s", (_where, newSetting) => {
  it.each([DAY, -DAY])(
    "by %d ms, and back, costs one refresh at most and no login",
    proves("oauth-store/clock-jumps"),
    async (jumpMs) => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      const mine = store.session();
      await mine.login(credentialOf(store.authority.login(), HOUR));
      clock.jump(jumpMs);
      for (let more = 0; more < 5; more += 1) {
        await mine.ensureFresh();
        await store.session().ensureFresh();
      }
      clock.jump(-jumpMs);
      for (let more = 0; more < 5; more += 1) await store.session().ensureFresh();
      await mine.settle();
      expect(store.authority.presented.length).toBeLessThanOrEqual(1);
      expect(store.authority.isLive((await store.stored())?.refreshToken)).toBe(true);
      expect((await mine.recover(await mine.ensureFresh())).view.accessToken).toBe(
        (await store.stored())?.accessToken,
      );
    },
  );

  it.each([DAY, -DAY])(
    "by %d ms between two attempts keeps nobody waiting longer than a quarter of an hour",
    proves("oauth-store/clock-jumps"),
    async (jumpMs) => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      await store.save(credentialOf(store.authority.login(), -2 * DAY));
      store.authority.mischief.push({ status: 500 });
      await expect(store.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      clock.jump(jumpMs);
      const first = await store
        .session()
        .ensureFresh()
        .catch((error: unknown) => error);
      if (jumpMs < 0) expect(first).toEqual(code("TRANSIENT"));
      await clock.advance(15 * 60_000 + 1);
      await store.session().ensureFresh();
      expect(store.authority.presented).toHaveLength(2);
    },
  );

  it(
    "back during an attempt leaves a next time that lies before it: that counts as now",
    proves("oauth-store/clock-jumps"),
    async () => {
      const clock = virtualClock();
      const store = newSetting({ clock });
      await store.save(credentialOf(store.authority.login(), -2 * DAY));
      const failing = store.session({
        refreshGrant: async () => {
          clock.jump(-DAY);
          return { sent: "yes", status: 500, body: new Uint8Array() };
        },
      });
      await expect(failing.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      expect((await store.session().ensureFresh()).generation).toBe(1);
      expect(store.authority.presented).toHaveLength(1);
    },
  );
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
        store: await storeAt(home.file("credentials-copy")),
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

  it.each(bothSettings)(
    "that belongs to another account is given up, and not asked for again, %s",
    proves("oauth-store/no-wrong-owner"),
    async (_where, newSetting) => {
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        validate: () => ({ outcome: "wrong-account" }),
      };
      const store = newSetting({ kind });
      await store.save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      store.authority.mischief.push({ json: { access_token: "a", refresh_token: "rt-of-somebody-else" } });
      for (let more = 0; more < 3; more += 1) {
        await expect(store.session().ensureFresh()).rejects.toEqual(code("WRONG_OWNER"));
      }
      expect((await store.session().explain()).verdict).toBe("wrong-account");
      expect((await store.session().status()).failure).toMatchObject({ code: "ERR_OAUTH_STORE_WRONG_OWNER" });
      expect(store.authority.presented).toHaveLength(1);
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

describe("a login that has ended", () => {
  it(
    "is not brought back by a session that still holds it when an old copy is restored after a logout",
    proves("oauth-store/logout-wins", "oauth-store/store-went-back"),
    async () => {
      const { tokens, save, stored, session, path, events } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      const mine = session();
      const b = await mine.ensureFresh();
      await session().logout();
      await restore();
      await expect(mine.recover(b)).rejects.toEqual(code("SUPERSEDED"));
      expect(events).toContainEqual({ type: "loggedOut", elsewhere: true });
      expect((await stored())?.accessToken).not.toBe(b.view.accessToken);
      expect(mine.snapshot()).toBeUndefined();
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(bothSettings)(
    "is not spent: a logout while the claim is made keeps the grant from being sent, %s",
    proves("oauth-store/logout-wins"),
    async (_where, newSetting) => {
      const store = newSetting();
      await store.save(credentialOf(store.authority.login()));
      let leaving: Promise<unknown> | undefined;
      const mine: Session = store.session({
        faultPoint: (name) => {
          if (name === "checked") leaving = mine.logout();
        },
      });
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      await leaving;
      expect(store.grants).toEqual([]);
      expect(await store.stored()).toBeUndefined();
    },
  );
});

describe("explain", () => {
  it(
    "tells a logout here from one elsewhere, and from a removal without our lock",
    proves("oauth-store/explains"),
    async () => {
      const { tokens, save, session, store } = setting;
      expect((await session().explain()).verdict).toBe("never-logged-in");
      const mine = session();
      await mine.login(credentialOf(tokens.authority.login(), HOUR));
      expect((await mine.explain()).verdict).toBe("working");
      await mine.logout();
      expect((await mine.explain()).verdict).toBe("logged-out");
      const note = await lineageText();
      await writeFile(note.path, note.text.replace(/"pid":\d+/, '"pid":1'));
      expect((await session().explain()).verdict).toBe("logged-out-elsewhere");
      await session().login(credentialOf(tokens.authority.login(), HOUR));
      await store.update(KEY, () => "remove");
      expect((await session().explain()).verdict).toBe("removed");
      await save(credentialOf(tokens.authority.login()));
      expect((await session().ensureFresh()).generation).toBe(1);
    },
  );

  it(
    "says that a program without our lock used the same login when its token and ours are both refused",
    proves("oauth-store/explains"),
    async () => {
      const { tokens, save, session } = setting;
      const ours = tokens.authority.login("f");
      const mine = session();
      await mine.login(credentialOf(ours, -1));
      // It spends ours first; our own send is a reuse, which revokes both.
      tokens.authority.grant(ours.refreshToken);
      const theirs = tokens.authority.login("f");
      await expect(mine.ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_REFUSED" });
      await save(credentialOf(theirs));
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(await session().explain()).toMatchObject({
        verdict: "reused",
        summary: expect.stringContaining("does not take the lock"),
      });
    },
  );

  it.each(bothSettings)(
    "and the status carry the reason that the server gave, %s",
    proves("oauth-store/explains"),
    async (_where, newSetting) => {
      const store = newSetting();
      await store.save(credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }));
      await expect(store.session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect((await store.session().status()).failure).toEqual({
        code: "ERR_OAUTH_STORE_REFUSED",
        permanent: true,
        reason: "invalid_grant",
      });
      await store.save(credentialOf(store.authority.login()));
      store.authority.mischief.push({ status: 503 });
      await expect(store.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      expect((await store.session().status()).failure).toMatchObject({
        permanent: false,
        reason: "http-503",
      });
    },
  );
});

describe.each(bothSettings)(
  "an access token that was rejected and is issued again, %s",
  (_where, newSetting) => {
    it(
      "is not sent again: its new refresh token is kept, as a failure with back-off",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = virtualClock();
        const store = newSetting({ clock });
        const issued = store.authority.login("f");
        const mine = store.session();
        await mine.login(credentialOf(issued, HOUR));
        const a = await mine.ensureFresh();
        const next = store.authority.login("f");
        store.authority.mischief.push({
          json: { access_token: issued.accessToken, refresh_token: next.refreshToken, expires_in: 3600 },
        });
        await expect(mine.recover(a)).rejects.toMatchObject({ reason: "no-progress", retry: "after" });
        await expect(mine.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await store.stored())?.refreshToken).toBe(next.refreshToken);
        await clock.advance(5000);
        expect((await mine.ensureFresh()).view.accessToken).not.toBe(issued.accessToken);
        expect(store.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );
  },
);

describe.each(bothSettings)("nested grants, %s", (_where, newSetting) => {
  it(
    "lets a grant wait for a credential below its own, and refuses one of its own level or above at once",
    proves("oauth-store/nested-downwards"),
    async () => {
      const scope = createCredentialNesting();
      const below = newSetting({ nesting: { scope, level: "account" } });
      const above = newSetting({ nesting: { scope, level: "resource" } });
      const beside = newSetting({ nesting: { scope, level: "identity-provider" } });
      for (const one of [below, above, beside]) await one.save(credentialOf(one.authority.login()));
      const seen: unknown[] = [];
      const account = below.session({
        refreshGrant: async ({ refreshToken }) => {
          await provider.ensureFresh().catch((error: unknown) => seen.push(error));
          return below.authority.grant(refreshToken);
        },
      });
      const provider: Session = beside.session({
        refreshGrant: async ({ refreshToken }) => {
          await account.ensureFresh();
          await resource.ensureFresh().catch((error: unknown) => seen.push(error));
          await beside
            .session()
            .ensureFresh()
            .catch((error: unknown) => seen.push(error));
          return beside.authority.grant(refreshToken);
        },
      });
      const resource: Session = above.session({
        refreshGrant: async ({ refreshToken }) => {
          await provider.ensureFresh();
          return above.authority.grant(refreshToken);
        },
      });
      expect((await resource.ensureFresh()).generation).toBe(1);
      expect(seen).toEqual([code("REENTERED"), code("REENTERED"), code("REENTERED")]);
      for (const one of [below, above, beside]) expect(one.authority.presented).toHaveLength(1);
      expect((await account.ensureFresh()).generation).toBe(1);
    },
  );
});

async function storeAt(path: string) {
  const { createAggregateFileStore } = await import("../src/index.ts");
  return createAggregateFileStore({ path, lockPath: `${path}.lock`, locks: uselessLocks });
}

async function lineageText(): Promise<{ path: string; text: string }> {
  const { readdir } = await import("node:fs/promises");
  const [directory = ""] = await readdir(setting.home.file("spend"));
  const path = setting.home.file("spend", directory, "lineage");
  return { path, text: await readFile(path, "utf8") };
}

/** A claim that was given back may leave its number behind. */
function isSent({ outcomeCode }: SpendSummary): boolean {
  return outcomeCode !== "not-sent";
}
