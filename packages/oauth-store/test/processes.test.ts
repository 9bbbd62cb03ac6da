import { figure, proves, type SpawnedChild, spawnChild, startScriptedServer } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { oauthCredential, storeKey } from "../src/index.ts";
import type { CrowdSetup } from "./children/crowd-child.ts";
import type { PatientEnd, PatientReport, PatientSetup } from "./children/patient-child.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY, SERVER } from "./support/memory-setting.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
const LONG_MS = 1_800_000;
const PATIENT_PROCESSES = LONG ? 8 : 4;
const CROWD = new URL("./children/crowd-child.ts", import.meta.url);
const PATIENT = new URL("./children/patient-child.ts", import.meta.url);

type ChildResult = { accessToken?: string; code?: string }[];

let setting: HomeSetting;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await setting[Symbol.asyncDispose]();
});

async function crowd(callers: number): Promise<SpawnedChild> {
  const spawned = spawnChild({ script: CROWD });
  children.push(spawned);
  const { home, tokens } = setting;
  spawned.send({ home: home.path, key: KEY, tokenUrl: tokens.url, callers } satisfies CrowdSetup);
  expect(await spawned.receive()).toBe("ready");
  return spawned;
}

describe("several processes", () => {
  it("50 callers in each of 8 processes spend a one-time refresh token once, and all 400 succeed, with locks and with locks that exclude nobody", {
    ...proves("oauth-store/storm", "oauth-store/one-grant-for-all", "oauth-store/claim-without-lock"),
    timeout: LONG ? LONG_MS : 60_000,
  }, async () => {
    const { tokens, save, stored } = setting;
    const all = await Promise.all(Array.from({ length: 8 }, () => crowd(50)));
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
});
