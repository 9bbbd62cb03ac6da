import { copyFile, rm } from "node:fs/promises";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAggregateFileStore, createCredentialSession, readSpendRecords } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY, type Session } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const states = async () =>
  [...(await readSpendRecords({ home: setting.home.path, key: KEY }))]
    .sort((a, b) => a.generation - b.generation)
    .map((one) => one.state);

/** Ends the work of a session where it stands, as often as it comes there: the process is as good as gone. */
function dying(at: string): (name: string) => void {
  return (name) => {
    if (name === at) throw new Error("the process has ended");
  };
}

const fileStoreAt = (path: string) => createAggregateFileStore({ path, lockPath: `${path}.lock` });

/** A process that is killed there. */
async function killedAt(point: string): Promise<void> {
  const child = spawnChild({
    script: new URL("./children/session-child.ts", import.meta.url),
    arm: [point],
  });
  try {
    child.send({ home: setting.home.path, key: KEY, tokenUrl: setting.tokens.url, callers: 1 });
    await child.receive();
    child.send("go");
    await child.reached(point);
  } finally {
    await child.kill();
  }
}

describe(createCredentialSession, () => {
  describe("what is final", () => {
    it.each(["superseded", "refused"])(
      "%s, is said only when the store still holds what was judged",
      proves("oauth-store/last-look"),
      async (what) => {
        const { tokens, save, session, store } = setting;
        // Too short to seal with: a record without a body.
        await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
        if (what === "refused") await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
        else tokens.authority.live.set("rt-short", "family");
        const read = gate("read");
        let isLocked = false;
        const slow = session({
          locks: uselessLocks,
          faultPoint: (name) => {
            isLocked ||= name === "locked";
          },
          store: {
            ...store,
            async read(key: string) {
              const entry = await store.read(key);
              if (isLocked) await read.faultPoint("read");
              return entry;
            },
          },
        });
        const waiting = slow.refresh();
        await read.reached;
        const other = session({ locks: uselessLocks });
        const handle =
          what === "refused"
            ? await other.login(credentialOf(tokens.authority.login(), 3_600_000))
            : await other.ensureFresh();
        read.open();
        expect((await waiting).lineage).toBe(handle.lineage);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
        expect(tokens.authority.presented.filter((one) => one === "rt-short")).toHaveLength(1);
      },
    );

    it(
      "and a refusal that was written down a moment ago only after writers without our lock had time to save",
      proves("oauth-store/foreign-writers"),
      async () => {
        const { tokens, save, session, store } = setting;
        await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-that-somebody-else-has-spent" }));
        // Told, and gone before it could see whether anybody else had got more.
        await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
        const late = virtualClock();
        await late.advance(6001);
        await expect(session({ foreignWriters: true, clock: late }).ensureFresh()).rejects.toEqual(
          code("REFUSED"),
        );
        let isJudged = false;
        let looks = 0;
        const waiting = session({
          foreignWriters: true,
          faultPoint: (name) => {
            isJudged ||= name === "judged";
          },
          store: {
            ...store,
            read(key: string) {
              if (isJudged) looks += 1;
              return store.read(key);
            },
          },
        }).ensureFresh();
        await expect.poll(() => looks).toBeGreaterThan(0);
        const theirs = tokens.authority.login();
        await save(credentialOf(theirs, 3_600_000));
        expect((await waiting).view.accessToken).toBe(theirs.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });

  describe("a successor that another process has saved, under a refresh token that was kept", () => {
    it.each(["the same", "a later"])(
      "is not put over %s generation, nor takes its record away",
      proves("oauth-store/unsaved-is-kept", "oauth-store/not-rotating"),
      async (which) => {
        const { tokens, save, stored, session, path } = setting;
        const { mischief, presented } = tokens.authority;
        const kept = (name: string) => ({
          json: { access_token: name, token_type: "Bearer", expires_in: 3600 },
        });
        mischief.push(kept("at-first"));
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const first = session({
          // Time stands still here: it saves when it is told to.
          clock: virtualClock(),
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        await first.ensureFresh();
        await unblock();
        const second = session();
        let newest = await second.ensureFresh();
        expect(newest.view.accessToken).toBe("at-first");
        if (which === "a later") {
          mischief.push(kept("at-second"));
          newest = await second.refresh();
        }
        mischief.push({ status: 500 });
        await expect(second.refresh()).rejects.toEqual(code("TRANSIENT"));
        expect(await states()).toEqual(["unknown"]);
        const sends = presented.length;

        await first.settle();
        expect((await stored())?.accessToken).toBe(newest.view.accessToken);
        expect(await session().status()).toMatchObject({
          handle: { generation: newest.generation },
          failure: { code: "ERR_OAUTH_STORE_TRANSIENT" },
        });
        expect(await states()).toEqual(["unknown"]);
        expect(presented).toHaveLength(sends);
      },
    );
  });

  it(
    "a logout that overtakes a successor on its way into the store revokes that one",
    proves("oauth-store/logout-wins"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      // Too short to seal with: the successor is nowhere but here.
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      const revoked: (string | undefined)[] = [];
      let unblock = async () => {};
      let logout: Promise<unknown> = Promise.resolve();
      let locks = 0;
      const first: Session = session({
        revoke: async ({ refreshToken }) => void revoked.push(refreshToken),
        faultPoint: async (name) => {
          // The refresh, the refresh that starts over, the logout.
          if (name === "locked" && ++locks === 3) await unblock();
          if (name !== "sealed") return;
          unblock = await blockStore(path);
          logout = first.logout();
        },
      });
      await expect(first.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      await logout;
      expect(locks).toBe(3);
      expect(await stored()).toBeUndefined();
      expect(revoked).toEqual([...tokens.authority.live.keys()]);
      expect(tokens.authority.presented).toEqual(["rt-short"]);
    },
  );

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

  describe("a store that went back", () => {
    it(
      "past a logout that found an answer half sealed: nothing is sent",
      proves("oauth-store/logout-wins"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await killedAt("seal/body-written");
        expect(await states()).toEqual(["claimed"]);
        expect(await session().logout()).toEqual({ removed: true, failures: [] });
        await restore();
        await expect(session().ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it.each(["sealed", "claimed"])(
      "past a record that was left %s and lost its body later: nothing is sent",
      proves("oauth-store/store-went-back"),
      async (left) => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        // Saved, and nobody came to say so in the record.
        if (left === "claimed") await killedAt("seal/body-written");
        await expect(session({ faultPoint: dying("committed") }).ensureFresh()).rejects.toThrow();
        expect(await states()).toEqual([left]);
        const second = session();
        const b = await second.ensureFresh();
        const c = await second.recover(b);
        expect(c.generation).toBe(2);
        expect(await states()).toEqual(["settled", "settled"]);

        await restore();
        const clock = steppingClock();
        clock.advance(3_600_000);
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(2);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
        expect((await second.refresh()).generation).toBe(3);
      },
    );

    it(
      "while a later generation was on its way into it: every sealed answer stays, and all are found",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        let wentBack = false;
        const second = session({
          faultPoint: async (name) => {
            if (name === "locked" && wentBack) throw new Error("the process has ended");
            if (name !== "sealed") return;
            wentBack = true;
            await restore();
          },
        });
        await expect(second.recover(b)).rejects.toThrow();
        expect(tokens.authority.presented).toHaveLength(2);

        const third = session();
        const again = await third.ensureFresh();
        expect(again.view.accessToken).toBe(b.view.accessToken);
        expect((await third.recover(again)).generation).toBe(2);
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "to a record that still says sealed: a process that is two generations on stays there",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await expect(session({ faultPoint: dying("committed") }).ensureFresh()).rejects.toThrow();
        // It is saved, and does not come to tidying up.
        const second = session({ faultPoint: dying("settled") });
        const b = await second.ensureFresh();
        const c = await second.refresh();
        expect([b.generation, c.generation]).toEqual([1, 2]);
        expect(await states()).toEqual(["sealed", "settled"]);

        await restore();
        const d = await second.refresh();
        expect(d.generation).toBe(3);
        expect((await stored())?.accessToken).toBe(d.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(3);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
      },
    );

    it(
      "and is written by somebody else before the newer generation can be: theirs stays",
      proves("oauth-store/store-went-back", "oauth-store/login-wins"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const theirs = tokens.authority.login();
        await save(credentialOf(theirs, 3_600_000));
        const theirLogin = await backUp(path);
        await restore();
        let judged = 0;
        const mine = session({
          faultPoint: async (name) => {
            if (name === "judged" && ++judged === 2) await theirLogin();
          },
        });
        await mine.ensureFresh();
        await restore();
        expect((await mine.refresh()).view.accessToken).toBe(theirs.accessToken);
        expect((await stored())?.accessToken).toBe(theirs.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });

  describe("a login that could not be saved", () => {
    it.each(["login", "logout"])(
      "is not saved over a %s made elsewhere since",
      proves("oauth-store/login-wins", "oauth-store/logout-wins"),
      async (what) => {
        const { tokens, save, stored, session, store } = setting;
        await save(credentialOf(tokens.authority.login(), 3_600_000));
        let isBlocked = true;
        const first = session({
          // Time stands still here: it saves when it is told to.
          clock: virtualClock(),
          store: {
            ...store,
            update: (...given) => (isBlocked ? Promise.reject(new Error("not now")) : store.update(...given)),
          },
        });
        await first.login(credentialOf(tokens.authority.login(), 3_600_000));
        isBlocked = false;
        const again = tokens.authority.login();
        const second = session();
        if (what === "logout") await second.logout();
        else await second.login(credentialOf(again, 3_600_000));
        await first.settle();
        expect((await stored())?.accessToken).toBe(what === "logout" ? undefined : again.accessToken);
        const now = await first.refresh().catch((error: unknown) => error);
        if (what === "logout") expect(now).toEqual(code("AUTHORIZATION_REQUIRED"));
        else expect(now).toMatchObject({ view: { accessToken: again.accessToken } });
        expect(tokens.authority.presented).toEqual([]);
      },
    );
  });
});
