import { pbkdf2 } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  chmod,
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { dirname } from "node:path";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, flockProvider, type LockProvider, readSpendRecords } from "../src/index.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });
const HOUR = 3_600_000;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const recordFiles = () => recordPaths(setting.home);
const states = async () =>
  (await readSpendRecords({ home: setting.home.path, key: KEY })).map((one) => one.state);

describe(createCredentialSession, () => {
  it(
    "writes the answer into its record before anything else in the process has a turn",
    proves("oauth-store/answer-at-once"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const grant = loopbackGrant(tokens.url);
      let atNextTurn: Promise<boolean[]> | undefined;
      const mine = session({
        refreshGrant: async (input) => {
          const answer = await grant(input);
          const files = await recordFiles();
          const { promise, resolve } = Promise.withResolvers<boolean[]>();
          atNextTurn = promise;
          // Whatever were left to another thread would wait for these.
          for (let busy = 0; busy < 8; busy += 1) pbkdf2("word", "salt", 100_000, 64, "sha512", () => {});
          setImmediate(() => resolve(files.map((file) => readFileSync(file).subarray(4096).some(Boolean))));
          return answer;
        },
      });
      await mine.ensureFresh();
      expect(await atNextTurn).toEqual([true]);
    },
  );

  describe("what cannot be saved", () => {
    it(
      "is served, kept, and saved as soon as it can be; the spent token is not sent again",
      proves("oauth-store/unsaved-is-kept"),
      async () => {
        const { tokens, save, stored, session, events, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const mine = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await mine.ensureFresh();
        expect(tokens.authority.live.size).toBe(1);
        expect(await states()).toEqual(["sealed"]);
        expect(await mine.ensureFresh()).toBe(b);
        await expect(mine.recover(b)).rejects.toEqual(code("NOT_WRITABLE"));
        expect(tokens.authority.presented).toHaveLength(1);

        await unblock();
        await expect.poll(() => events.some((event) => event.type === "persisted")).toBe(true);
        expect((await stored())?.accessToken).toBe(b.view.accessToken);
        expect(await states()).toEqual(["settled"]);
        expect((await mine.recover(b)).generation).toBe(b.generation + 1);
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "is finished by another process, when the first one is gone",
      proves("oauth-store/unsaved-is-kept"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const first = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await first.ensureFresh();
        await unblock();
        const second = await session().ensureFresh();
        expect(second.view.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "loses to a logout and to a login made meanwhile",
      proves("oauth-store/logout-wins", "oauth-store/login-wins"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        for (const what of ["logout", "login"] as const) {
          await save(credentialOf(tokens.authority.login()));
          let unblock = async () => {};
          const first = session({
            faultPoint: async (name) => {
              if (name === "sealed") unblock = await blockStore(path);
            },
          });
          await first.ensureFresh();
          await unblock();
          const again = tokens.authority.login();
          const second = session();
          if (what === "logout") await second.logout();
          else await second.login(credentialOf(again, HOUR));
          await first.settle();
          expect((await stored())?.accessToken).toBe(what === "logout" ? undefined : again.accessToken);
        }
      },
    );

    it(
      "spends nothing when it is known before that nothing can be saved",
      proves("oauth-store/rehearsed"),
      async () => {
        const { tokens, save, session, path, home } = setting;
        await save(credentialOf(tokens.authority.login()));
        await chmod(path, 0o400);
        await expect(session().ensureFresh()).rejects.toEqual(code("NOT_WRITABLE"));
        await chmod(path, 0o600);
        await chmod(home.path, 0o777);
        await expect(session().ensureFresh()).rejects.toEqual(code("UNSAFE_FILE"));
        await chmod(home.path, 0o700);
        expect(tokens.authority.presented).toHaveLength(0);
        await session().ensureFresh();
      },
    );

    it(
      "held by this process alone, keeps every other one from sending",
      proves("oauth-store/held"),
      async () => {
        const { tokens, save, session, path, events } = setting;
        // Too short to seal with.
        await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
        tokens.authority.live.set("rt-short", "family");
        let unblock = async () => {};
        const first = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await first.ensureFresh();
        expect(events).toContainEqual({ type: "unsealed", code: "short-refresh-token" });
        await rename(`${path}.away`, `${path}.copy`);
        await writeFile(`${path}.away`, await readFile(`${path}.copy`), { mode: 0o600 });
        // Another process sees the old store, as if only this one could not write.
        const elsewhere = session({ store: await otherStore(`${path}.copy`) });
        await expect(elsewhere.ensureFresh()).rejects.toEqual(code("HELD_ELSEWHERE"));
        expect((await elsewhere.explain()).verdict).toBe("held-elsewhere");
        expect(tokens.authority.presented).toHaveLength(1);
        await unblock();
        await first.settle();
        expect((await session().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      },
    );
  });

  describe("a store that went back", () => {
    it(
      "is written again by a session that holds the newer generation",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, stored, session, path, events } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const mine = session();
        const b = await mine.ensureFresh();
        const c = await mine.recover(b);
        await restore();
        const d = await mine.refresh();
        expect(tokens.authority.presented).toHaveLength(3);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
        expect([b.generation, c.generation, d.generation]).toEqual([1, 2, 3]);
        expect(events).toContainEqual(expect.objectContaining({ type: "restored", generation: 2 }));
        expect((await stored())?.accessToken).toBe(d.view.accessToken);
      },
    );

    it(
      "is brought forward from the sealed answer by a session that holds nothing",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        await restore();
        const again = await session().ensureFresh();
        expect(again.view.accessToken).toBe(b.view.accessToken);
        expect(again.generation).toBe(b.generation);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "too far for any sealed answer is called superseded, and nothing is sent",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const first = session();
        await first.recover(await first.ensureFresh());
        await restore();
        const next = session();
        await expect(next.ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect((await next.explain()).verdict).toBe("superseded");
        expect(tokens.authority.presented).toHaveLength(2);
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
    "a login takes the place of a store that cannot be read, which is moved aside",
    proves("oauth-store/corrupt-store"),
    async () => {
      const { tokens, stored, session, home, path } = setting;
      await home.write(".credentials.json", '{"half":');
      const mine = session();
      expect((await mine.status()).state).toBe("corrupt");
      expect((await mine.explain()).verdict).toBe("corrupt");
      await expect(mine.ensureFresh()).rejects.toEqual(code("CORRUPT"));
      const issued = tokens.authority.login();
      await mine.login(credentialOf(issued, HOUR));
      expect((await stored())?.accessToken).toBe(issued.accessToken);
      const names = await readdir(home.path);
      expect(names.filter((name) => name.startsWith(".credentials.json.corrupt-"))).toHaveLength(1);
      await writeFile(path, "not json", { mode: 0o600 });
      expect(await mine.logout()).toMatchObject({ failures: [] });
    },
  );

  it("uses a valid token from a home it cannot write to", proves("oauth-store/read-only-home"), async () => {
    const { tokens, save, home, path } = setting;
    const issued = tokens.authority.login();
    await save(credentialOf(issued, HOUR));
    await rm(home.file("mcp-oauth-locks"), { recursive: true });
    // Root may write anywhere: the reader is somebody else, who owns the home.
    const uid = process.getuid?.() === 0 ? 65534 : undefined;
    const child = spawnChild({
      script: new URL("./children/session-child.ts", import.meta.url),
      env: { HAWSER_TEST_UID: uid?.toString() },
    });
    try {
      if (uid) for (const one of [path, home.path]) await chown(one, uid, uid);
      await chmod(path, 0o400);
      await chmod(home.path, 0o500);
      child.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers: 1 });
      await child.receive();
      child.send("go");
      expect(await child.receive()).toEqual([expect.objectContaining({ accessToken: issued.accessToken })]);
    } finally {
      await child.kill();
      if (uid) for (const one of [home.path, path]) await chown(one, 0, 0);
      await chmod(home.path, 0o700);
    }
  });

  it(
    "still sends each token once under locks that exclude nobody",
    proves("oauth-store/claim-without-lock"),
    async () => {
      const { tokens, save, session } = setting;
      const useless: LockProvider = {
        acquire: async () => ({ isIntact: () => true, release() {} }),
        tryLock: () => true,
        unlock() {},
        provesDeath: () => false,
      };
      for (let round = 0; round < 5; round += 1) {
        await save(credentialOf(tokens.authority.login()));
        const before = tokens.authority.presented.length;
        const all = Array.from({ length: 6 }, () => session({ locks: useless }));
        const handles = await Promise.all(all.map((one) => one.ensureFresh()));
        expect(new Set(handles.map((handle) => handle.view.accessToken)).size).toBe(1);
        expect(tokens.authority.presented.length - before).toBe(1);
      }
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );

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

  it(
    "does not send under a lock file that was taken away",
    proves("oauth-store/lock-taken-away"),
    async () => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      let removed = 0;
      const mine = session({
        faultPoint: async (name) => {
          if (name !== "claimed" || removed++ > 0) return;
          await rm(home.file("locks"), { recursive: true });
        },
      });
      const handle = await mine.ensureFresh();
      expect(handle.generation).toBe(1);
      expect(removed).toBe(2);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  describe("a record", () => {
    it(
      "with an unreadable header is finished from its body",
      proves("oauth-store/record-damage"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        await restore();
        const [record = ""] = await recordFiles();
        const bytes = await readFile(record);
        bytes.fill(0x20, 0, 200);
        await writeFile(record, bytes);
        expect((await session().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "with nothing readable in it counts as a claim of the dead",
      proves("oauth-store/record-damage"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await session().ensureFresh();
        await restore();
        const [record = ""] = await recordFiles();
        await truncate(record, 100);
        await expect(session().ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "is 64 KiB, 0600, in a directory of 0700, and only the latest body stays",
      proves("oauth-store/record-shape"),
      async () => {
        const { tokens, save, session } = setting;
        await save(credentialOf(tokens.authority.login()));
        const mine = session();
        await mine.ensureFresh();
        for (let more = 0; more < 20; more += 1) await mine.refresh();
        const files = await recordFiles();
        expect(files).toHaveLength(16);
        const { statSync } = await import("node:fs");
        let bodies = 0;
        for (const file of files) {
          expect(statSync(file).size).toBe(65536);
          expect(statSync(file).mode & 0o777).toBe(0o600);
          if ((await readFile(file)).subarray(4096).some((byte) => byte !== 0)) bodies += 1;
        }
        expect(bodies).toBe(1);
        expect(statSync(dirname(files[0] ?? "")).mode & 0o777).toBe(0o700);
      },
    );

    it(
      "keeps no body after a logout, and its token is never sent again",
      proves("oauth-store/logout-wins"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const mine = session();
        await mine.ensureFresh();
        expect(await mine.logout()).toEqual({ removed: true, failures: [] });
        for (const file of await recordFiles()) {
          expect((await readFile(file)).subarray(4096).every((byte) => byte === 0)).toBe(true);
        }
        await restore();
        await expect(session().ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });

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

  it(
    "corrects a next time that a jumping clock wrote a day ahead",
    proves("oauth-store/back-off-shared"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      tokens.authority.mischief.push({ status: 500 });
      const ahead = steppingClock();
      ahead.jump(86_400_000);
      await expect(session({ clock: ahead }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      const clock = steppingClock();
      await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      clock.advance(16 * 60_000);
      await session({ clock }).ensureFresh();
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it("leaves no secret in any file but the store", proves("oauth-store/no-secret-shown"), async () => {
    const { tokens, save, session, path, allText } = setting;
    const issued = tokens.authority.login();
    await save(credentialOf(issued));
    const mine = session();
    const secrets = [issued.accessToken, issued.refreshToken];
    for (let round = 0; round < 3; round += 1) {
      const handle = await mine.refresh();
      secrets.push(handle.view.accessToken, ...tokens.authority.live.keys());
    }
    tokens.authority.mischief.push({ status: 400, body: `{"error":"${issued.refreshToken}"}` });
    const thrown = await mine.refresh().catch((error: unknown) => error);
    expect(thrown).toEqual(code("TRANSIENT"));
    await mine.settle();
    await rm(path);
    const text = await allText();
    expect(text).toContain("hawser-spend 1");
    for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it.each(["symlink", "second name"])(
    "refuses a store that is a %s",
    proves("oauth-store/unsafe-files"),
    async (what) => {
      const { tokens, save, session, path, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      if (what === "symlink") {
        await rename(path, home.file("elsewhere"));
        await symlink(home.file("elsewhere"), path);
      } else await link(path, home.file("elsewhere"));
      await expect(session().ensureFresh()).rejects.toEqual(code("UNSAFE_FILE"));
      expect(tokens.authority.presented).toHaveLength(0);
    },
  );
});

async function otherStore(path: string) {
  const { createAggregateFileStore } = await import("../src/index.ts");
  await mkdir(dirname(path), { recursive: true });
  return createAggregateFileStore({ path, lockPath: `${path}.lock` });
}
