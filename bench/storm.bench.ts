import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { oauthCredential } from "@hawser/oauth-store";
import type { BenchRow } from "./bench-row.ts";
import { credential, fileStore, KEY, save } from "./login-fixture.ts";
import { median } from "./median.ts";
import { type StormAuthority, startStormAuthority } from "./storm-authority.ts";
import { type StormKind, stormCaller } from "./storm-callers.ts";

const ROUNDS = 5;
const PROCESSES = 4;
const CALLERS = 50;
const KINDS: readonly StormKind[] = ["ours", "proper-lockfile", "official client"];

interface Round {
  readonly ms: number;
  readonly grants: number;
  readonly served: number;
  /** Whether what is stored in the end can still be refreshed. */
  readonly alive: boolean;
}

/** What several processes with many callers each make of one expired login whose refresh token works once. */
export async function run(): Promise<readonly BenchRow[]> {
  const home = await realpath(await mkdtemp(join(tmpdir(), "hawser-bench-")));
  const authority = await startStormAuthority();
  try {
    const rounds = new Map<StormKind, readonly Round[]>();
    for (const kind of KINDS) rounds.set(kind, await storms(kind, home, authority));
    return rows((kind) => rounds.get(kind) ?? []);
  } finally {
    authority.close();
    await rm(home, { recursive: true, force: true });
  }
}

async function storms(kind: StormKind, home: string, authority: StormAuthority): Promise<Round[]> {
  const args = ["--storm", kind, home, authority.serverUrl];
  const all = await Promise.all(Array.from({ length: PROCESSES }, () => started(args)));
  const rounds: Round[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const issuer = new URL(authority.serverUrl).origin;
    await save(fileStore(home), { ...credential(-1, authority.login()), issuer });
    const sinceMs = performance.now();
    const answers = all.map(async (child) => {
      const answer = once(child, "message");
      child.send("go");
      return ((await answer) as [number])[0];
    });
    const served = (await Promise.all(answers)).reduce((sum, one) => sum + one, 0);
    const ms = performance.now() - sinceMs;
    if (round >= 0)
      rounds.push({ ms, grants: authority.grants(), served, alive: await isAlive(home, authority) });
  }
  for (const child of all) child.disconnect();
  await Promise.all(all.map((child) => once(child, "exit")));
  return rounds;
}

async function isAlive(home: string, authority: StormAuthority): Promise<boolean> {
  try {
    const stored = await fileStore(home).read(KEY);
    return stored !== undefined && authority.isLive(oauthCredential.parse(stored).refreshToken);
  } catch {
    return false; // Written over by another writer, or without its tokens.
  }
}

function rows(roundsOf: (kind: StormKind) => readonly Round[]): BenchRow[] {
  const callers = PROCESSES * CALLERS;
  const alive = (kind: StormKind) => roundsOf(kind).filter((round) => round.alive).length;
  const msOf = (kind: StormKind) => median(roundsOf(kind).map((round) => round.ms));
  const said = (kind: StormKind) => {
    const grants = median(roundsOf(kind).map((round) => round.grants));
    const served = median(roundsOf(kind).map((round) => round.served));
    return `${grants} grants, ${served} of ${callers} served, login alive in ${alive(kind)} of ${ROUNDS} rounds, ${msOf(kind).toFixed(0)} ms`;
  };
  const isWhole = roundsOf("ours").every((end) => end.grants === 1 && end.served === callers && end.alive);
  const ratio = msOf("proper-lockfile") / msOf("ours");
  return [
    {
      path: "storm",
      what: `${PROCESSES} processes x ${CALLERS} callers, one expired login, one-time refresh tokens`,
      ratio: said("ours"),
      goal: "1 grant, all served, login alive",
      met: isWhole,
    },
    {
      path: "storm",
      what: `time of a proper-lockfile-based provider (${said("proper-lockfile")}) by ours`,
      ratio: `${ratio.toFixed(2)}x`,
      goal: ">= 0.5x",
      met: ratio >= 0.5,
    },
    {
      path: "storm",
      what: `auth() of the official MCP client with a file-backed provider: ${said("official client")}`,
      ratio: `${alive("official client")} of ${ROUNDS} logins alive`,
      goal: "ours: all",
      met: isWhole,
    },
  ];
}

/** A child of this file that has said that it is ready. */
async function started(args: readonly string[]): Promise<ChildProcess> {
  // The official client comments on each refusal.
  const child = fork(import.meta.filename, args, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  await once(child, "message");
  return child;
}

function obey(kind: StormKind, home: string, serverUrl: string): void {
  process.on("message", async () => {
    const { call, end } = stormCaller(kind, home, serverUrl);
    const all = await Promise.allSettled(Array.from({ length: CALLERS }, call));
    await end();
    process.send?.(all.filter((one) => one.status === "fulfilled").length);
  });
  process.send?.("ready");
}

const [, , role, kind = "ours", home = "", serverUrl = ""] = process.argv;
if (role === "--storm") obey(kind as StormKind, home, serverUrl);
else if (import.meta.main) console.table(await run());
