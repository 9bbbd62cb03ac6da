import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { figure, proves, type SpawnedChild, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flockProvider, type LockProvider } from "../src/index.ts";
import type { WriterReport } from "./children/writer-child.ts";
import { code } from "./support/code.ts";
import { fileStore } from "./support/file-store.ts";
import { histogram } from "./support/histogram.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
const WRITERS = LONG ? 12 : 4;
/** Each with ten writes, each in a phase of its own. */
const WRITERS_KILLED = LONG ? 100 : 1;
const WRITER = new URL("./children/writer-child.ts", import.meta.url);
const SESSION = new URL("./children/session-child.ts", import.meta.url);

let setting: HomeSetting;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await setting[Symbol.asyncDispose]();
});

async function writer(homes: readonly string[], key: string, forever = false): Promise<SpawnedChild> {
  const child = spawnChild({ script: WRITER });
  children.push(child);
  child.send({ homes, key, forever });
  expect(await child.receive()).toBe("ready");
  return child;
}

describe("stores", () => {
  it(
    "a writer, a reader that asks for it and a removal wait for the file's lock, and all is there afterwards",
    proves("oauth-store/entries-kept"),
    async () => {
      const { home, store } = setting;
      await store.update("a|0", () => ({ write: { a: 0 } }));
      const lock = await flockProvider().acquire(home.file("mcp-oauth-locks", "file-store.lock"));
      const done: string[] = [];
      const work = [
        store.update("b|0", () => ({ write: { b: 1 } })).then(() => done.push("written")),
        fileStore(home.path)
          .update("c|0", () => "remove")
          .then(() => done.push("removed")),
      ];
      await expect(store.update("d|0", () => ({ write: 1 }), { lockTimeoutMs: 20 })).rejects.toEqual(
        code("LOCK_TIMEOUT"),
      );
      expect(done).toEqual([]);
      expect(await store.read("a|0")).toEqual({ a: 0 });
      lock.release();
      await Promise.all(work);
      expect(await store.read("a|0")).toEqual({ a: 0 });
      expect(await store.read("b|0")).toEqual({ b: 1 });
    },
  );

  it(
    `${WRITERS} processes that write as many servers at one moment leave as many entries`,
    proves("oauth-store/entries-kept"),
    async () => {
      const { home, store } = setting;
      const all = await Promise.all(
        Array.from({ length: WRITERS }, (_, n) => writer([home.path], `server-${n}|0`)),
      );
      for (const one of all) one.send("go");
      await Promise.all(all.map((one) => one.exited));
      for (let n = 0; n < WRITERS; n += 1)
        expect(await store.read(`server-${n}|0`)).toMatchObject({ writes: 1 });
    },
  );

  it(`kill -9 during ${10 * WRITERS_KILLED} writes leaves a whole file and every other entry`, {
    ...proves("oauth-store/atomic-write"),
    timeout: LONG ? 900_000 : 60_000,
  }, async () => {
    const points: string[] = [];
    for (let kill = 0; kill < WRITERS_KILLED; kill += 1) {
      const homes = await Promise.all(
        Array.from({ length: 10 }, async (_, at) => {
          const home = setting.home.file(`${kill}-${at}`);
          await mkdir(home, { mode: 0o700 });
          await fileStore(home).update("other|1", () => ({ write: { kept: true } }));
          return home;
        }),
      );
      const victim = await writer(homes, KEY, true);
      victim.send("go");
      const written = new Set<number>();
      while (written.size < homes.length) {
        const report = await victim.receive<WriterReport>();
        if (typeof report === "object" && report.point === "written") written.add(report.at);
      }
      const untilMs = performance.now() + Math.random() * 30;
      while (performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
      await victim.kill();
      const last = homes.map(() => "");
      for (const report of victim.messages as readonly WriterReport[]) {
        if (typeof report === "object") last[report.at] = report.point;
      }
      for (const home of homes) {
        const entries = JSON.parse(await readFile(join(home, ".credentials.json"), "utf8"));
        expect(entries).toMatchObject({ "other|1": { kept: true }, [KEY]: { padding: "x".repeat(20_000) } });
        await rm(home, { recursive: true });
      }
      points.push(...last);
    }
    figure("writes killed after", histogram(points));
    const midway = points.filter((point) => point.startsWith("file/temporary"));
    // The moments are spread over the write and what is before and after it.
    if (LONG)
      expect(Math.min(midway.length, points.length - midway.length)).toBeGreaterThan(points.length / 20);
  });
});

describe("refreshes", () => {
  it(
    "two clients that contend in one process send once; omitted refresh token and scopes are kept",
    proves("oauth-store/contending-starts"),
    async () => {
      const { home, save, stored, session, tokens } = setting;
      const issued = tokens.authority.login();
      await save({ ...credentialOf(issued), scopes: ["a", "b"] });
      tokens.authority.mischief.push({ json: { access_token: "at-next", expires_in: 3600 } });
      const kept = tokens.keepAnswers();
      const locks = flockProvider();
      const contending: string[] = [];
      const acquire: LockProvider["acquire"] = (path, options) => {
        if (dirname(path) === home.file("locks")) contending.push(path);
        return locks.acquire(path, options);
      };
      const clients = [0, 1].map(() => session({ locks: { ...locks, acquire } }));
      const working = Promise.all(clients.map((one) => one.ensureFresh()));
      await tokens.server.waitFor(1);
      await expect.poll(() => contending.length).toBe(2);
      kept.release();
      const handles = await working;
      expect(handles.map((handle) => handle.view.accessToken)).toEqual(["at-next", "at-next"]);
      expect(handles[0]?.view.scopes).toEqual(["a", "b"]);
      expect(await stored()).toMatchObject({ refreshToken: issued.refreshToken, scopes: ["a", "b"] });
      expect(tokens.authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it("a second process waits for the first one's refresh, however slow, and both succeed", {
    ...proves("oauth-store/contending-starts"),
    timeout: 30_000,
  }, async () => {
    const { tokens, save, stored, home } = setting;
    await save(credentialOf(tokens.authority.login()));
    const all = [0, 1].map(() => spawnChild({ script: SESSION }));
    children.push(...all);
    for (const one of all) one.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers: 1 });
    for (const one of all) await one.receive();
    const kept = tokens.keepAnswers();
    for (const one of all) one.send("go");
    await tokens.server.waitFor(1);
    await new Promise((resolve) => setTimeout(resolve, LONG ? 5200 : 200));
    expect(all.map((one) => one.messages.length)).toEqual([1, 1]);
    kept.release();
    const results = await Promise.all(all.map((one) => one.receive<{ accessToken?: string }[]>()));
    const accessToken = (await stored())?.accessToken;
    expect(results.flat()).toEqual([
      expect.objectContaining({ accessToken }),
      expect.objectContaining({ accessToken }),
    ]);
    expect(tokens.authority.presented).toHaveLength(1);
  });

  it(
    "a process with an older, unexpired token goes on with it, and does not write it over the newer one",
    proves("oauth-store/contending-starts"),
    async () => {
      const { save, stored, session, tokens } = setting;
      const issued = tokens.authority.login();
      await save(credentialOf(issued, HOUR));
      const older = session();
      await older.ensureFresh();
      const newer = await session().refresh();
      expect((await older.ensureFresh()).view.accessToken).toBe(issued.accessToken);
      expect((await stored())?.accessToken).toBe(newer.view.accessToken);
      await older[Symbol.asyncDispose]();
      expect((await stored())?.accessToken).toBe(newer.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "what is expired is never handed out, and a token of 32 s is refreshed after its first 2",
    proves("oauth-store/contending-starts"),
    async () => {
      const { tokens, save, session } = setting;
      const clock = virtualClock();
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.expiresInS = 32;
      const mine = session({ clock });
      const short = await mine.ensureFresh();
      expect(short.view.accessToken).not.toBe(issued.accessToken);
      expect(await mine.ensureFresh()).toBe(short);
      await clock.advance(3000);
      // Nothing is refreshed by a timer.
      expect(tokens.authority.presented).toHaveLength(1);
      const long = await mine.ensureFresh();
      expect(long.generation).toBe(2);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "neither a refused nor a removed credential is handed out after it has expired, and one grant tells",
    proves("oauth-store/contending-starts"),
    async () => {
      const { tokens, save, stored, session } = setting;
      const clock = virtualClock();
      await save(credentialOf(tokens.authority.login()));
      tokens.authority.expiresInS = 32;
      const mine = session({ clock });
      await mine.ensureFresh();
      await clock.advance(33_000);
      tokens.authority.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
      for (let more = 0; more < 3; more += 1)
        await expect(mine.ensureFresh()).rejects.toEqual(code("REFUSED"));
      expect(tokens.authority.presented).toHaveLength(2);
      expect((await stored())?.refreshToken).toBe(tokens.authority.presented[1]);
      await setting.store.update(KEY, () => "remove");
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "a caller that leaves while the answer is awaited changes nothing: it is saved, and the lock is free",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const { tokens, save, stored, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const leaving = new AbortController();
      const mine = session();
      const call = mine.ensureFresh({ signal: leaving.signal });
      await tokens.server.waitFor(1);
      leaving.abort(new Error("gave up"));
      await expect(call).rejects.toThrow("gave up");
      kept.release();
      await mine.settle();
      expect((await stored())?.accessToken).toBe(mine.snapshot()?.view.accessToken);
      expect((await session().refresh()).generation).toBe(2);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "two starts at once with a refresh token that works once are both well",
    proves("oauth-store/contending-starts"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const [a, b] = await Promise.all([session().ensureFresh(), session().ensureFresh()]);
      expect(a?.view.accessToken).toBe(b?.view.accessToken);
      expect(tokens.authority.revokedFamilies.size).toBe(0);
    },
  );
});

describe("rejections", () => {
  it(
    "of one generation, three times over in each of two sessions, cost one grant",
    proves("oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const [one, two] = [session(), session()];
      const [a, b] = [await one.ensureFresh(), await two.ensureFresh()];
      const first = await Promise.all([one.recover(a), two.recover(b)]);
      for (let more = 0; more < 2; more += 1) first.push(await one.recover(a), await two.recover(b));
      expect(new Set(first.map((handle) => handle.view.accessToken)).size).toBe(1);
      expect(JSON.stringify(first)).not.toContain("refresh");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "of a token whose successor is stored already adopt that, also when it happens twice in one operation",
    proves("oauth-store/late-rejection-adopts"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const [mine, other] = [session(), session()];
      const a = await mine.ensureFresh();
      const b = await mine.recover(a);
      const c = await other.recover(await other.ensureFresh());
      expect((await mine.recover(b)).view.accessToken).toBe(c.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "of what was just issued end in a typed error, without a loop",
    proves("oauth-store/fresh-rejection-bounded"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login(), HOUR));
      const mine = session();
      let handle = await mine.ensureFresh();
      let end: unknown;
      for (let rejections = 0; rejections < 10 && end === undefined; rejections += 1) {
        await mine.recover(handle).then(
          (next) => {
            handle = next;
          },
          (error: unknown) => {
            end = error;
          },
        );
      }
      expect(end).toEqual(code("FRESH_TOKEN_REJECTED"));
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("an aggregate file with an entry nested 10,000 deep", () => {
  it(
    "is called corrupt before anything is spent, and a login moves it aside",
    proves("oauth-store/nested-deep"),
    async () => {
      const { tokens, session, home, stored } = setting;
      const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
      await home.write(".credentials.json", `{"deep|0":${deep}}`);
      const mine = session();
      await expect(mine.ensureFresh()).rejects.toEqual(code("CORRUPT"));
      expect((await mine.status()).state).toBe("corrupt");
      const again = tokens.authority.login();
      await mine.login(credentialOf(again, HOUR));
      expect((await stored())?.accessToken).toBe(again.accessToken);
      expect(tokens.authority.presented).toEqual([]);
    },
  );
});
