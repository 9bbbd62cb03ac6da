import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { figure, proves, type SpawnedChild, spawnChild, startScriptedServer } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialError,
  createCredentialSession,
  oauthCredential,
  readSpendRecords,
  storeKey,
} from "../src/index.ts";
import type { CrowdHome, CrowdSetup } from "./children/crowd-child.ts";
import type { PatientEnd, PatientReport, PatientSetup } from "./children/patient-child.ts";
import { fileStore } from "./support/file-store.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY, SERVER, type Session } from "./support/memory-setting.ts";
import { secretNet } from "./support/secret-net.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
const LONG_MS = 1_800_000;
const PATIENT_PROCESSES = LONG ? 8 : 4;
const KILLS = LONG ? 100 : 3;
const RANDOM_KILLS = LONG ? 100 : 1;
const SESSION = new URL("./children/session-child.ts", import.meta.url);
const CROWD = new URL("./children/crowd-child.ts", import.meta.url);
const PATIENT = new URL("./children/patient-child.ts", import.meta.url);

type ChildResult = { accessToken?: string; code?: string; done?: boolean }[];

let setting: HomeSetting;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await setting[Symbol.asyncDispose]();
  // Hundreds of homes are searched for tokens after a long row.
}, 300_000);

async function child(callers = 1, arm: string[] = []): Promise<SpawnedChild> {
  const spawned = spawnChild({ script: SESSION, arm });
  children.push(spawned);
  spawned.send({ home: setting.home.path, key: KEY, tokenUrl: setting.tokens.url, callers });
  expect(await spawned.receive()).toBe("ready");
  return spawned;
}

async function crowd(setup: Pick<CrowdSetup, "homes"> & Partial<CrowdSetup>): Promise<SpawnedChild> {
  const spawned = spawnChild({ script: CROWD });
  children.push(spawned);
  spawned.send({ key: KEY, tokenUrl: setting.tokens.url, callers: 1, ...setup } satisfies CrowdSetup);
  expect(await spawned.receive()).toBe("ready");
  return spawned;
}

/** A home of its own below the setting's, with a login that has expired and another entry beside it. */
async function newHome(name: string): Promise<string> {
  const home = setting.home.file(name);
  await mkdir(home, { mode: 0o700 });
  const store = fileStore(home);
  await store.update("other|1", () => WITNESS);
  const credential = credentialOf(setting.tokens.authority.login());
  await store.update(KEY, () => ({ write: oauthCredential.serialize(credential) }));
  return home;
}
const WITNESS = { write: { access_token: "somebody else's", unknown: { nested: [1] } } };

function sessionIn(home: string): Session {
  return secretNet.session(
    createCredentialSession({
      kind: oauthCredential,
      store: fileStore(home),
      key: KEY,
      home,
      refreshGrant: loopbackGrant(setting.tokens.url),
      random: () => 0,
    }),
  );
}

/** The store parses, and nobody else's entry was touched. */
async function expectWhole(home: string): Promise<void> {
  const entries = JSON.parse(await readFile(join(home, ".credentials.json"), "utf8"));
  expect(entries["other|1"]).toEqual(WITNESS.write);
}

async function storedIn(home: string): Promise<string | undefined> {
  const entry = await fileStore(home).read(KEY);
  return entry === undefined ? undefined : oauthCredential.parse(entry).refreshToken;
}

/** One process, a home for each point, killed when it stands at all of them. */
async function killAt(points: readonly string[], more: Partial<CrowdHome> = {}): Promise<string[]> {
  const homes = await Promise.all(points.map((_, at) => newHome(`${crypto.randomUUID()}-${at}`)));
  const victim = await crowd({ homes: homes.map((home, at) => ({ home, stopAt: points[at], ...more })) });
  victim.send("go");
  for (const _ of homes) expect(await victim.receive()).toBe("standing");
  expect((await victim.kill()).signal).toBe("SIGKILL");
  return homes;
}

function tenHomes(name: string): Promise<string[]> {
  return Promise.all(Array.from({ length: 10 }, (_, at) => newHome(`${name}-${at}`)));
}

async function randomMoment(withinMs: number): Promise<void> {
  const untilMs = performance.now() + Math.random() * withinMs;
  while (performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
}

/** What the next process finds: a login that works, or that a refresh was interrupted. */
async function endOfNext(home: string): Promise<"restored" | "interrupted"> {
  await expectWhole(home);
  const keptAnswer = await hasBody(home);
  const next = sessionIn(home);
  try {
    await next.ensureFresh();
    expect(setting.tokens.authority.isLive(await storedIn(home))).toBe(true);
    return "restored";
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_OAUTH_STORE_INTERRUPTED", reason: "invalid_grant" });
    expect((await next.explain()).verdict).toBe("interrupted");
    // Only an answer of which nothing was written yet may be asked for again.
    expect(keptAnswer).toBe(false);
    return "interrupted";
  } finally {
    await next[Symbol.asyncDispose]();
    await expectWhole(home);
  }
}

const nothingSent = ["locked", "judged", "rehearsed", "claim/created", "claimed", "checked"];
const answerKept = [
  "seal/body-written",
  "sealed",
  "store/locked",
  "lineage/file/temporary-written",
  "lineage/file/renamed",
  "noted",
  "file/temporary-written",
  "file/renamed",
  "committed",
  "settled",
  "published",
];

describe("several processes", () => {
  it("50 callers in each of 8 processes spend a one-time refresh token once, and all 400 succeed, with locks and with locks that exclude nobody", {
    ...proves("oauth-store/storm", "oauth-store/one-grant-for-all", "oauth-store/claim-without-lock"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { tokens, save, stored, home } = setting;
    const setup = { homes: [{ home: home.path }], callers: 50 };
    const all = await Promise.all(Array.from({ length: 8 }, () => crowd(setup)));
    const rounds = LONG ? 200 : 5;
    for (const word of ["go", "go without locks"]) {
      const sent = tokens.authority.presented.length;
      for (let round = 0; round < rounds; round += 1) {
        await save(credentialOf(tokens.authority.login()));
        const before = tokens.authority.presented.length;
        for (const one of all) one.send(word);
        const results = (await Promise.all(all.map((one) => one.receive<ChildResult>()))).flat();
        const now = await stored();
        expect(results).toHaveLength(400);
        const different = results.filter(({ accessToken }) => accessToken !== now?.accessToken);
        expect(different, `${word}, round ${round}`).toEqual([]);
        expect(tokens.authority.isLive(now?.refreshToken)).toBe(true);
        expect(tokens.authority.presented.length - before, `${word}, round ${round}`).toBe(1);
      }
      figure(`storm of 8 x 50: ${word}, rounds and grants`, [
        rounds,
        tokens.authority.presented.length - sent,
      ]);
    }
    expect(tokens.authority.revokedFamilies.size).toBe(0);
    for (const one of all) one.send("end");
    await Promise.all(all.map((one) => one.exited));
  });

  it("kill -9 at any point before the send or after the seal: the next start works, and the token was sent once", {
    ...proves("oauth-store/crash-loses-nothing"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { authority } = setting.tokens;
    for (let kills = 0; kills < KILLS; kills += 1) {
      const points = [...nothingSent, ...answerKept];
      const before = authority.presented.length;
      const homes = await killAt(points);
      for (const [at, home] of homes.entries()) {
        await expectWhole(home);
        const next = sessionIn(home);
        const handle = await next.ensureFresh();
        await next[Symbol.asyncDispose]();
        expect(handle.generation, points[at]).toBe(1);
        expect(authority.isLive(await storedIn(home)), points[at]).toBe(true);
        await expectWhole(home);
      }
      expect(authority.presented.length - before).toBe(points.length);
    }
    expect(authority.revokedFamilies.size).toBe(0);
    figure("every next start worked after kills at points", [KILLS, ...nothingSent, ...answerKept]);
  });

  it(`kill -9 at ${RANDOM_KILLS * 10} random moments after the answer was handed over: the next start works, and the token was sent once`, {
    ...proves("oauth-store/crash-loses-nothing"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { authority } = setting.tokens;
    for (let kills = 0; kills < RANDOM_KILLS; kills += 1) {
      const homes = await tenHomes(`received-${kills}`);
      const warmUp = await newHome(`received-warm-${kills}`);
      const before = authority.presented.length;
      const victim = await crowd({ homes: homes.map((home) => ({ home })), answersMeet: true, warmUp });
      victim.send("go");
      expect(await victim.receive()).toBe("met");
      await randomMoment(80);
      await victim.kill();
      for (const home of homes) expect(await endOfNext(home)).toBe("restored");
      expect(authority.presented.length - before).toBe(1 + homes.length);
    }
    expect(authority.revokedFamilies.size).toBe(0);
    figure("random kills after the answer was handed over", { restored: RANDOM_KILLS * 10 });
  });

  it(`kill -9 at ${RANDOM_KILLS * 10} random moments after the server answered: the next start works, or says that a refresh was interrupted`, {
    ...proves("oauth-store/crash-loses-nothing", "oauth-store/interrupted-is-named"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const ends = { restored: 0, interrupted: 0 };
    for (let kills = 0; kills < RANDOM_KILLS; kills += 1) {
      const homes = await tenHomes(`answered-${kills}`);
      const warmUp = await newHome(`answered-warm-${kills}`);
      const victim = await crowd({ homes: homes.map((home) => ({ home })), warmUp });
      const kept = setting.tokens.keepAnswers();
      const seen = setting.tokens.server.waitFor(setting.tokens.server.seen.length + homes.length);
      victim.send("go");
      await seen;
      kept.release();
      await randomMoment(20);
      await victim.kill();
      for (const home of homes) ends[await endOfNext(home)] += 1;
    }
    expect(ends.restored + ends.interrupted).toBe(RANDOM_KILLS * 10);
    figure("random kills after the server answered", ends);
  });

  it("kill -9 during a logout or a login: the next start is logged out, or in, and nothing in between", {
    ...proves("oauth-store/crash-in-login-and-logout"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { authority } = setting.tokens;
    for (let kills = 0; kills < KILLS; kills += 1) {
      const outAt = ["locked", "removed", "lineage/file/temporary-written", "lineage/file/renamed"];
      for (const [at, home] of (await killAt(outAt, { work: "logout" })).entries()) {
        await expectWhole(home);
        expect((await storedIn(home)) === undefined, outAt[at]).toBe(at > 0);
        const next = sessionIn(home);
        const end = await next.ensureFresh().catch((error: CredentialError) => error.code);
        if (at > 0) expect(end).toBe("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED");
        else expect(end).toMatchObject({ generation: 1 });
        await next.logout();
        await next[Symbol.asyncDispose]();
        expect(await storedIn(home)).toBeUndefined();
      }
      const inAt = ["locked", "store/locked", "noted", "file/temporary-written", "file/renamed"];
      const again = authority.login();
      const credential = credentialOf(again, 3_600_000);
      for (const [at, home] of (await killAt(inAt, { work: "login", credential })).entries()) {
        await expectWhole(home);
        expect((await storedIn(home)) === again.refreshToken, inAt[at]).toBe(inAt[at] === "file/renamed");
        const next = sessionIn(home);
        const { view } = await next.ensureFresh();
        if (inAt[at] === "file/renamed") expect(view.accessToken).toBe(again.accessToken);
        expect(authority.isLive(await storedIn(home))).toBe(true);
        await next[Symbol.asyncDispose]();
      }
    }
    expect(authority.revokedFamilies.size).toBe(0);
    figure("every next start was logged in or out after kills in login and logout", KILLS);
  });

  it(`a token endpoint that answers 500, or hangs, for 10 minutes gets at most 12 grants for a credential from ${PATIENT_PROCESSES} processes, and nobody waits past a deadline`, {
    ...proves("oauth-store/outage"),
    timeout: LONG ? LONG_MS : 120_000,
  }, async () => {
    const { home, store } = setting;
    const presented: string[] = [];
    /** Tokens whose grant is not answered. */
    const hanging = new Set<string>();
    const server = await startScriptedServer({
      handler: (seen, { gone }) => {
        const token = String(JSON.parse(seen.body).refresh_token);
        presented.push(token);
        if (seen.path !== "/hangs") return { status: 500, body: "no" };
        hanging.add(token);
        gone.addEventListener("abort", () => hanging.delete(token));
        return new Promise<never>(() => {});
      },
    });
    try {
      const minutes = 600_000;
      const patienceMs = 20_000;
      const stepMs = LONG ? 1000 : 8000;
      const targets = ["/hangs", "/fails"].flatMap((path) =>
        ["expired", "valid"].map((state) => ({
          state,
          key: storeKey(`${state}${path}`, SERVER.serverUrl),
          tokenUrl: new URL(path, server.url).href,
          issued: setting.tokens.authority.login(),
        })),
      );
      for (const { key, state, issued } of targets) {
        // A valid one would better be refreshed from half time on, and is good to the end.
        const credential = credentialOf(issued, state === "valid" ? minutes + 20_000 : -1);
        await store.update(key, () => ({ write: oauthCredential.serialize(credential) }));
      }
      const all = Array.from({ length: PATIENT_PROCESSES }, () => spawnChild({ script: PATIENT }));
      children.push(...all);
      const setup: PatientSetup = {
        home: home.path,
        targets: targets.map(({ key, tokenUrl }) => ({ key, tokenUrl })),
        startMs: Date.now(),
        patienceMs,
      };
      for (const one of all) one.send(setup);
      const tell = async (word: number | "look") => {
        for (const one of all) one.send(word);
        return Promise.all(all.map((one) => one.receive<PatientReport>()));
      };
      for (let passedMs = 0; passedMs < minutes; passedMs += stepMs) {
        let reports = await tell(stepMs);
        // The clock stands until everybody has been answered, or waits for a server that does not.
        const isSettled = ({ key, issued }: (typeof targets)[number]) =>
          hanging.has(issued.refreshToken) || reports.every(({ idle }) => idle.includes(key));
        while (!targets.every(isSettled)) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          reports = await tell("look");
        }
      }
      for (const one of all) one.send("end");
      const ends = await Promise.all(all.map((one) => one.receive<PatientEnd>()));

      for (const { key, state, issued } of targets) {
        const sends = presented.filter((one) => one === issued.refreshToken).length;
        const got = ends.map((end) => end.got[key] ?? {});
        figure(`10 minutes, ${key}`, { sends, got });
        expect(sends).toBeGreaterThan(state === "expired" ? 4 : 1);
        expect(sends).toBeLessThanOrEqual(12);
        if (state === "expired") {
          expect(got.every((counts) => (counts["ERR_OAUTH_STORE_TRANSIENT"] ?? 0) > 0)).toBe(true);
          expect(got.every((counts) => counts["served"] === undefined)).toBe(true);
        } else expect(got.map((counts) => Object.keys(counts))).toEqual(got.map(() => ["served"]));
      }
      expect(Math.max(...ends.map((end) => end.longestMs))).toBeLessThanOrEqual(patienceMs + stepMs);
    } finally {
      await server.close();
    }
  });

  it("kill -9 right after a failure was written down: the next start keeps to it, and sends nothing", {
    ...proves("oauth-store/crash-loses-nothing", "oauth-store/back-off-shared"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { authority } = setting.tokens;
    for (let kills = 0; kills < KILLS; kills += 1) {
      authority.mischief.push({ status: 500 }, { status: 400, body: '{"error":"invalid_grant"}' });
      const before = authority.presented.length;
      const homes = await killAt(["outcome-written", "outcome-written"]);
      const ends = await Promise.all(
        homes.map(async (home) => {
          const next = sessionIn(home);
          const end = await next.ensureFresh().catch((error: CredentialError) => error.code);
          await next[Symbol.asyncDispose]();
          await expectWhole(home);
          return end;
        }),
      );
      expect(ends.sort()).toEqual(["ERR_OAUTH_STORE_REFUSED", "ERR_OAUTH_STORE_TRANSIENT"]);
      expect(authority.presented.length - before).toBe(2);
    }
  });

  it.each(["sent", "answered"])(
    "kill -9 when the answer was %s and not sealed: one more attempt, and its refusal is called an interrupted refresh",
    proves("oauth-store/interrupted-is-named"),
    async (point) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const victim = await child(1, point === "sent" ? [] : [point]);
      victim.send("go");
      await tokens.server.waitFor(1);
      if (point === "answered") {
        kept.release();
        await victim.reached(point);
      }
      await victim.kill();
      kept.release();

      const next = session();
      await expect(next.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_INTERRUPTED",
        reason: "invalid_grant",
        retry: "never",
      });
      expect((await next.explain()).verdict).toBe("interrupted");
      await expect(session().ensureFresh()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_INTERRUPTED" });
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

/** Whether anything of an answer stands in the record of the home's refresh token. */
async function hasBody(home: string): Promise<boolean> {
  const [latest] = await readSpendRecords({ home, key: KEY });
  if (!latest) return false;
  const { createHash } = await import("node:crypto");
  const name = `${latest.fingerprint}.${latest.attempt}`;
  const record = join(home, "spend", createHash("sha256").update(KEY).digest("hex"), name);
  return (await readFile(record)).subarray(4096).some((byte) => byte !== 0);
}
