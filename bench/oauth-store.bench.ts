import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open as openFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCredentialSession,
  createMemoryStore,
  flockProvider,
  type RefreshGrantAnswer,
} from "@hawser/oauth-store";
import lockfile from "proper-lockfile";
import type { BenchRow } from "./bench-row.ts";
import { credential, fileStore, type Grant, HOUR, newToken, sessionOptions } from "./login-fixture.ts";
import { median } from "./median.ts";

const ROUNDS = 9;
const HOT_CALLS = 100_000;
const LOCKS = 500;
const CLAIMS = 40;
const TAKEOVERS = 7;
/** The shortest staleness that proper-lockfile accepts. */
const PEER_STALE_MS = 2000;

/** The session's own costs. */
export async function run(): Promise<readonly BenchRow[]> {
  const home = await realpath(await mkdtemp(join(tmpdir(), "hawser-bench-")));
  try {
    return [
      await hotPath(),
      ...(await locks(home)),
      ...(await claimAndSeal(home)),
      ...(await takeover(home)),
    ];
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function hotPath(): Promise<BenchRow> {
  const session = createCredentialSession(sessionOptions(createMemoryStore(), undefined, noGrant));
  await session.login(credential(HOUR));
  const costs: number[] = [];
  for (let round = -2; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let call = 0; call < HOT_CALLS; call += 1) await session.ensureFresh();
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) costs.push((user + system) / HOT_CALLS);
  }
  await session[Symbol.asyncDispose]();
  const us = median(costs);
  return row(
    "session hot path",
    "ensureFresh() with a fresh token, CPU time",
    `${us.toFixed(2)} us`,
    "<= 2 us",
    us <= 2,
  );
}

async function locks(home: string): Promise<BenchRow[]> {
  const provider = flockProvider();
  const path = join(home, "bench.lock");
  const peerPath = join(home, "peer");
  await writeFile(peerPath, "");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = -2; round < ROUNDS; round += 1) {
    const mine = await perCallUs(LOCKS, async () => (await provider.acquire(path)).release());
    const peer = await perCallUs(LOCKS / 10, async () => (await lockfile.lock(peerPath))());
    if (round < 0) continue;
    ours.push(mine);
    theirs.push(peer);
  }
  const us = median(ours);
  const ratio = median(theirs.map((peer, at) => peer / (ours[at] ?? 0)));
  return [
    row("lock", "acquire and release, uncontended", `${us.toFixed(1)} us`, "<= 50 us", us <= 50),
    row(
      "lock",
      `proper-lockfile (${median(theirs).toFixed(0)} us) by ours`,
      `${ratio.toFixed(1)}x`,
      ">= 2x",
      ratio >= 2,
    ),
  ];
}

/** From the end of the rehearsal to the claim, and from the answer to the seal; and the bare syncs that takes. */
async function claimAndSeal(home: string): Promise<BenchRow[]> {
  const at = new Map<string, number>();
  let issued = 0;
  const session = createCredentialSession({
    ...sessionOptions(fileStore(home), home, async () => {
      issued += 1;
      return ok({ access_token: `access-${issued}`, refresh_token: newToken() });
    }),
    faultPoint: (name) => void at.set(name, performance.now()),
  });
  await session.login(credential(HOUR));
  const ours: number[] = [];
  const bare: number[] = [];
  for (let claim = -5; claim < CLAIMS; claim += 1) {
    await session.refresh();
    const time = (from: string, to: string) => (at.get(to) ?? 0) - (at.get(from) ?? 0);
    const sinceMs = performance.now();
    await bareRecord(home, `bare-${claim}`);
    const bareMs = performance.now() - sinceMs;
    if (claim < 0) continue;
    ours.push(time("rehearsed", "claimed") + time("answered", "sealed"));
    bare.push(bareMs);
  }
  await session[Symbol.asyncDispose]();
  const ms = median(ours);
  const ratio = median(ours.map((mine, round) => mine / (bare[round] ?? 0)));
  return [
    row(
      "claim and seal",
      "64 KiB record created and synced, answer sealed and synced",
      `${ms.toFixed(2)} ms`,
      "<= 1 ms",
      ms <= 1,
    ),
    row(
      "claim and seal",
      `ours by the same files and syncs without anything else (${median(bare).toFixed(2)} ms)`,
      `${ratio.toFixed(2)}x`,
      "<= 1.5x",
      ratio <= 1.5,
    ),
  ];
}

/** What the disk alone costs: a file of 64 KiB and its name made durable, then a body and a header. */
async function bareRecord(home: string, name: string): Promise<void> {
  const path = join(home, name);
  const file = await openFile(path, "wx+", 0o600);
  await file.write(new Uint8Array(65_536), 0, 65_536, 0);
  await file.sync();
  const directory = await openFile(home, "r");
  await directory.sync();
  await directory.close();
  await file.write(new Uint8Array(500), 0, 500, 4096);
  await file.sync();
  await file.write(new Uint8Array(4096), 0, 4096, 0);
  await file.sync();
  await file.close();
  await rm(path);
}

/** From SIGKILL of the holder to the lock in our hands. */
async function takeover(home: string): Promise<BenchRow[]> {
  const provider = flockProvider();
  const path = join(home, "taken.lock");
  const peerPath = join(home, "peer-taken");
  await writeFile(peerPath, "");
  const ours: number[] = [];
  for (let kill = 0; kill < TAKEOVERS; kill += 1) {
    const holder = await started(["--hold", path]);
    const waiting = provider.acquire(path);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const sinceMs = performance.now();
    holder.kill("SIGKILL");
    (await waiting).release();
    ours.push(performance.now() - sinceMs);
  }
  const peer = await started(["--hold-peer", peerPath]);
  const sinceMs = performance.now();
  peer.kill("SIGKILL");
  const retries = { retries: 1000, minTimeout: 10, maxTimeout: 20 };
  await (await lockfile.lock(peerPath, { stale: PEER_STALE_MS, retries }))();
  const theirs = performance.now() - sinceMs;
  const ms = median(ours);
  return [
    row("takeover after a killed holder", "kill -9 to lock", `${ms.toFixed(1)} ms`, "<= 50 ms", ms <= 50),
    row(
      "takeover after a killed holder",
      `proper-lockfile with its shortest staleness (${theirs.toFixed(0)} ms) by ours`,
      `${(theirs / ms).toFixed(0)}x`,
      ">= 10x",
      theirs / ms >= 10,
    ),
  ];
}

function row(path: string, what: string, ratio: string, goal: string, met: boolean): BenchRow {
  return { path, what, ratio, goal, met };
}

async function perCallUs(calls: number, work: () => Promise<void>): Promise<number> {
  const sinceMs = performance.now();
  for (let call = 0; call < calls; call += 1) await work();
  return ((performance.now() - sinceMs) * 1000) / calls;
}

function ok(answer: unknown): RefreshGrantAnswer {
  return { sent: "yes", status: 200, body: Buffer.from(JSON.stringify(answer)) };
}

const noGrant: Grant = () => Promise.reject(new Error("nothing was to be sent"));

/** A child of this file that has said that it is ready. */
async function started(args: readonly string[]): Promise<ChildProcess> {
  const child = fork(import.meta.filename, args);
  await once(child, "message");
  return child;
}

async function hold(acquire: Promise<unknown>): Promise<void> {
  await acquire;
  setInterval(() => {}, 1000);
  process.send?.("held");
}

const [, , role, one = ""] = process.argv;
if (role === "--hold") await hold(flockProvider().acquire(one));
else if (role === "--hold-peer") await hold(lockfile.lock(one, { stale: PEER_STALE_MS }));
else if (import.meta.main) console.table(await run());
