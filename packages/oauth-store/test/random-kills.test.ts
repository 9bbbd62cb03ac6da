import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  figure,
  proves,
  type SpawnedChild,
  spawnChild,
  type TemporaryHome,
  temporaryHome,
} from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, oauthCredential, readSpendRecords } from "../src/index.ts";
import type { PhasedReport, PhasedSetup, PhasedStart } from "./children/phased-child.ts";
import { fileStore } from "./support/file-store.ts";
import { histogram } from "./support/histogram.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { startTokenServer, type TokenServer } from "./support/token-server.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
/** Each is killed once, with ten refreshes in it, each in a phase of its own. */
const PROCESSES = LONG ? 100 : 1;
const MOMENTS = 10 * PROCESSES;
const CHILD = new URL("./children/phased-child.ts", import.meta.url);
const WITNESS = { access_token: "somebody else's", unknown: { nested: [1] } };

/** How far a refresh had come when it was killed, as its files tell. */
const PHASES = ["on its way", "written", "sealed", "saved", "settled"] as const;
type Phase = (typeof PHASES)[number];

let root: TemporaryHome;
let tokens: TokenServer;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  root = await temporaryHome();
  tokens = await startTokenServer();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
  await tokens.close();
  await root.remove();
});

/** A login that has expired, and another entry beside it. */
interface Home {
  readonly path: string;
  readonly refreshToken: string;
}

async function newHome(name: string): Promise<Home> {
  const path = root.file(name);
  const issued = tokens.authority.login();
  const entries = { "other|1": WITNESS, [KEY]: oauthCredential.serialize(credentialOf(issued)) };
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, ".credentials.json"), JSON.stringify(entries), { mode: 0o600 });
  return { path, refreshToken: issued.refreshToken };
}

/** A process with refreshes to make in ten homes. */
interface Victim {
  readonly homes: readonly Home[];
  /** Within so long a refresh is over, more often than not. */
  readonly withinMs: number;
  start(word: PhasedStart): void;
  handedOver(): Promise<void>;
  /** The last points that they had passed. */
  kill(): Promise<string[]>;
}

async function victim(n: number): Promise<Victim> {
  const homes = await Promise.all(Array.from({ length: 10 }, (_, at) => newHome(`${n}-${at}`)));
  const { path: warmUp } = await newHome(`${n}-warm`);
  const child = spawnChild({ script: CHILD });
  children.push(child);
  const setup: PhasedSetup = {
    homes: homes.map(({ path }) => path),
    key: KEY,
    tokenUrl: tokens.url,
    warmUp,
  };
  child.send(setup);
  const { tookMs } = await child.receive<{ tookMs: number }>();
  return {
    homes,
    withinMs: Math.ceil(3 * tookMs),
    start: (word) => child.send(word),
    async handedOver() {
      let report: PhasedReport;
      do report = await child.receive<PhasedReport>();
      while (report !== "handed over");
    },
    async kill() {
      expect((await child.kill()).signal).toBe("SIGKILL");
      const last = homes.map(() => "nothing");
      for (const report of child.messages as readonly PhasedReport[]) {
        if (typeof report === "object" && "at" in report) last[report.at] = report.point;
      }
      return last;
    },
  };
}

async function phaseOf({ path, refreshToken }: Home): Promise<Phase> {
  const [record] = await readSpendRecords({ home: path, key: KEY });
  if (record?.state === "settled") return "settled";
  if ((await storedIn(path)) !== refreshToken) return "saved";
  if (record?.state === "sealed") return "sealed";
  const [directory = ""] = await readdir(join(path, "spend"));
  const bytes = await readFile(join(path, "spend", directory, `${record?.fingerprint}.${record?.attempt}`));
  return bytes.subarray(4096).some((byte) => byte !== 0) ? "written" : "on its way";
}

async function storedIn(path: string): Promise<string | undefined> {
  return oauthCredential.parse((await fileStore(path).read(KEY)) ?? null).refreshToken;
}

/** What the next start comes to: a login that works, or that a refresh was interrupted. */
async function nextStart({ path }: Home): Promise<"works" | "interrupted"> {
  const next = createCredentialSession({
    kind: oauthCredential,
    store: fileStore(path),
    key: KEY,
    home: path,
    refreshGrant: async ({ refreshToken }) => tokens.authority.grant(refreshToken),
  });
  try {
    await expectWhole(path);
    await next.ensureFresh();
    expect(tokens.authority.isLive(await storedIn(path))).toBe(true);
    return "works";
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_OAUTH_STORE_INTERRUPTED", reason: "invalid_grant" });
    expect((await next.explain()).verdict).toBe("interrupted");
    return "interrupted";
  } finally {
    await next[Symbol.asyncDispose]();
    await expectWhole(path);
    await rm(path, { recursive: true });
  }
}

async function expectWhole(path: string): Promise<void> {
  const entries = JSON.parse(await readFile(join(path, ".credentials.json"), "utf8"));
  expect(entries["other|1"]).toEqual(WITNESS);
}

/** Each phase is met often enough to say that the moments are spread over all of them. */
function expectSpread(phases: readonly Phase[], among: readonly Phase[]): void {
  if (!LONG) return;
  for (const phase of among)
    expect(phases.filter((one) => one === phase).length, phase).toBeGreaterThan(MOMENTS / 250);
}

describe("kill -9", () => {
  it(`at ${MOMENTS} moments after the answer was handed over: the next start works, and the token was sent once`, {
    ...proves("oauth-store/crash-loses-nothing"),
    timeout: LONG ? 900_000 : 60_000,
  }, async () => {
    const phases: Phase[] = [];
    const points: string[] = [];
    for (let n = 0; n < PROCESSES; n += 1) {
      const { homes, withinMs, start, handedOver, kill } = await victim(n);
      const before = tokens.authority.presented.length;
      start({ withinMs });
      await handedOver();
      points.push(...(await kill()));
      phases.push(...(await Promise.all(homes.map(phaseOf))));
      expect(new Set(await Promise.all(homes.map(nextStart)))).toEqual(new Set(["works"]));
      expect(tokens.authority.presented.length - before).toBe(homes.length);
    }
    expect(tokens.authority.revokedFamilies.size).toBe(0);
    figure("killed after the answer was handed over", [histogram(phases), histogram(points)]);
    expectSpread(phases, ["written", "sealed", "saved", "settled"]);
  });

  it(`at ${MOMENTS} moments after the server answered: the next start works, or says that a refresh was interrupted`, {
    ...proves("oauth-store/crash-loses-nothing", "oauth-store/interrupted-is-named"),
    timeout: LONG ? 900_000 : 60_000,
  }, async () => {
    const { server } = tokens;
    const phases: Phase[] = [];
    const points: string[] = [];
    for (let n = 0; n < PROCESSES; n += 1) {
      const { homes, withinMs, start, kill } = await victim(n);
      const kept = tokens.keepAnswers();
      const seen = server.waitFor(server.seen.length + homes.length);
      start({});
      await seen;
      kept.release(withinMs);
      await new Promise((resolve) => setTimeout(resolve, withinMs));
      points.push(...(await kill()));
      const now = await Promise.all(homes.map(phaseOf));
      phases.push(...now);
      // Only an answer of which nothing was written yet may be asked for again.
      const expected = now.map((phase) => (phase === "on its way" ? "interrupted" : "works"));
      expect(await Promise.all(homes.map(nextStart))).toEqual(expected);
    }
    figure("killed after the server answered", [histogram(phases), histogram(points)]);
    expectSpread(phases, PHASES);
  });
});
