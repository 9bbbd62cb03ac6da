import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { gate } from "./support/gate.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { uselessLocks } from "./support/useless-locks.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

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

  it(
    "is refused once for all processes, also for one that starts later",
    proves("oauth-store/refused-once"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }));
      await expect(session().ensureFresh()).rejects.toEqual(code("REFUSED"));
      const child = spawnChild({ script: new URL("./children/session-child.ts", import.meta.url) });
      try {
        child.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers: 3 });
        await child.receive();
        child.send("go");
        expect(await child.receive()).toEqual(Array(3).fill({ code: "ERR_OAUTH_STORE_REFUSED" }));
      } finally {
        await child.kill();
      }
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "believes a refusal only after writers without our lock had time to save",
    proves("oauth-store/foreign-writers"),
    async () => {
      const { tokens, save, stored, session } = setting;
      const issued = tokens.authority.login("f");
      await save(credentialOf(issued));
      const theirs = tokens.authority.login("f");
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      const waiting = session({ foreignWriters: true }).ensureFresh();
      await expect.poll(() => tokens.authority.presented.length).toBe(1);
      await save(credentialOf(theirs, HOUR));
      expect((await waiting).view.accessToken).toBe(theirs.accessToken);
      expect((await stored())?.accessToken).toBe(theirs.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
