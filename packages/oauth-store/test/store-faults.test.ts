import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
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
import { type CredentialStore, type JsonValue, systemKeyring } from "../src/index.ts";
import type { FaultyWrite, FaultyWriteReport } from "./children/faulty-writer-child.ts";
import { canUseKeyring, useSecretService } from "./support/desktop.ts";
import { KEY } from "./support/memory-setting.ts";
import { adjacentSteps, pointsOf, type Step } from "./support/steps.ts";
import { FILE_OF, type StoreKind, storeMaker } from "./support/store-kinds.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
/** A keyring is slow; its writes have fewer steps. */
const killsOf = (kind: StoreKind) => (LONG ? 100 : kind.includes("keyring") ? 1 : 3);
const MOST_FALLS = 5;
const CHILD = new URL("./children/faulty-writer-child.ts", import.meta.url);

const OLD = { old: true, padding: "o".repeat(20_000) };
const NEW = { new: true, padding: "n".repeat(20_000) };
const WITNESS = { access_token: "somebody else's", unknown: { nested: [1] } };
const OTHER = "other|1";

/** What a write is about to change, and the point from which on the change has happened. */
interface Way {
  readonly name: string;
  /** `leftover`: what a write that was cut short has left beside it. */
  readonly before: readonly ("old" | "witness" | "broken" | "leftover")[];
  readonly write: JsonValue | "remove";
  readonly from: string;
}

function waysOf(kind: StoreKind): Way[] {
  const shared = kind === "single file" ? [] : (["witness"] as const);
  const isKeyring = kind === "keyring";
  const written = isKeyring ? "keyring/set" : "file/renamed";
  const removed = isKeyring ? "keyring/removed" : "file/removed";
  const ways: Way[] = [
    { name: "the first entry", before: [], write: NEW, from: written },
    { name: "a change", before: ["old", ...shared], write: NEW, from: written },
    { name: "the removal of the last entry", before: ["old"], write: "remove", from: removed },
    { name: "a login over what is broken", before: ["broken"], write: NEW, from: written },
  ];
  if (!isKeyring) {
    const before = ["old", ...shared, "leftover"] as const;
    ways.push({ name: "a change after one that was cut short", before, write: NEW, from: written });
  }
  if (shared.length > 0) {
    const from = isKeyring ? removed : written;
    ways.push({ name: "a removal", before: ["old", "witness"], write: "remove", from });
  }
  return ways;
}

let root: TemporaryHome;
let homes = 0;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  root = await temporaryHome();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
  if (canUseKeyring) await service().hadFallen();
  await root.remove();
});
const open = storeMaker();
const keyring = systemKeyring();
const service = useSecretService();

async function prepare(kind: StoreKind, { before }: Way): Promise<string> {
  homes += 1;
  const home = root.file(String(homes));
  await mkdir(home, { mode: 0o700 });
  const store = open(kind, home);
  if (before.includes("old")) await store.update(KEY, () => ({ write: OLD }));
  if (before.includes("witness")) await store.update(OTHER, () => ({ write: WITNESS }));
  const file = FILE_OF[kind];
  if (before.includes("broken")) {
    if (file) await writeFile(join(home, file), '{"broken', { mode: 0o600 });
    else await keyring.entry(home, KEY).set('{"broken');
  }
  if (before.includes("leftover")) {
    await writeFile(join(home, `.${file}.${"0".repeat(16)}.tmp`), '{"half', { mode: 0o600 });
  }
  return home;
}

/** What stands there now: `"broken"` where it cannot be read. */
async function found(store: CredentialStore): Promise<unknown> {
  return store.read(KEY).catch((error: { code: string }) => {
    expect(error.code).toBe("ERR_OAUTH_STORE_CORRUPT");
    return "broken";
  });
}

/** A process that makes one write in each home. */
function writer(kind: StoreKind, writes: readonly FaultyWrite[]): SpawnedChild {
  const child = spawnChild({ script: CHILD });
  children.push(child);
  child.send({ kind, writes });
  return child;
}

/** What each way goes through when nobody kills it. */
async function rehearse(kind: StoreKind): Promise<(readonly Step[])[]> {
  const ways = waysOf(kind);
  const homes = await Promise.all(ways.map((way) => prepare(kind, way)));
  const child = writer(
    kind,
    ways.map(({ write }, at) => ({ home: homes[at] ?? "", key: KEY, write })),
  );
  const all: (readonly Step[])[] = [];
  for (const _ of ways) {
    const report = await child.receive<FaultyWriteReport>();
    all[report.at] = "steps" in report ? report.steps : [];
  }
  return all;
}

async function expectKilled(
  kind: StoreKind,
  way: Way,
  passed: readonly string[],
  home: string,
): Promise<void> {
  const { before, write, from } = way;
  const store = open(kind, home);
  // What is broken is removed from a keyring, and moved out of a file's way, before anything is written.
  const moving = kind === "keyring" ? "keyring/removed" : "aside/renamed";
  const isMoved = before.includes("broken") && passed.includes(moving);
  const isChanged = passed.includes(from);
  const untouched = before.includes("old")
    ? OLD
    : before.includes("broken") && !isMoved
      ? "broken"
      : undefined;
  const changed = write === "remove" ? undefined : write;
  const where = `${way.name}, killed at ${passed.at(-1)}`;
  expect(await found(store), where).toEqual(isChanged ? changed : untouched);
  const witness = before.includes("witness") ? WITNESS : undefined;
  if (witness) expect(await store.read(OTHER), where).toEqual(witness);
  const file = FILE_OF[kind];
  if (file && untouched !== "broken") {
    const text = await readFile(join(home, file), "utf8").catch(() => "{}");
    expect(JSON.parse(text), where).toBeTypeOf("object");
  }
  // Nothing is in the next writer's way, and it cleans up.
  await store.update(KEY, () => ({ write: { next: true } }), { quarantine: true, lockTimeoutMs: 5000 });
  const last = open(kind, home);
  expect(await last.read(KEY), where).toEqual({ next: true });
  if (witness) expect(await last.read(OTHER), where).toEqual(witness);
  expect((await readdir(home)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  await forget(kind, home);
}

/** What the daemon holds for clients that were killed it never gives back, and in the end it falls over. */
async function newDaemon(): Promise<void> {
  await service().stop();
  await service().start();
}

/** A keyring writes all that it has with each change, and keeps it in memory: what is done with goes. */
async function forget(kind: StoreKind, home: string): Promise<void> {
  if (!kind.includes("keyring")) return;
  for (const account of ["key", KEY, OTHER]) await keyring.entry(home, account).remove();
}

interface Case {
  readonly way: Way;
  /** The points it has passed when it is killed. */
  readonly passed: readonly string[];
}

/** One process that stands at the last point of each case, each in a home of its own, and is killed there. */
async function killAtEach(kind: StoreKind, cases: readonly Case[]): Promise<void> {
  const writes: FaultyWrite[] = [];
  for (const { way, passed } of cases) {
    const home = await prepare(kind, way);
    writes.push({ home, key: KEY, write: way.write, passes: passed.length - 1 });
  }
  const victim = writer(kind, writes);
  const stood: string[] = [];
  for (const _ of cases) {
    const report = await victim.receive<FaultyWriteReport>();
    stood[report.at] = "stands" in report ? report.stands : "the end";
  }
  expect(stood).toEqual(cases.map(({ passed }) => passed.at(-1)));
  expect((await victim.kill()).signal).toBe("SIGKILL");
  for (const [at, { way, passed }] of cases.entries()) {
    await expectKilled(kind, way, passed, writes[at]?.home ?? "");
  }
}

describe.each<StoreKind>([
  "aggregate file",
  "single file",
  "encrypted file",
  "encrypted file with its key in the keyring",
  "keyring",
])("%s", (kind) => {
  const kills = killsOf(kind);
  const runs = kind.includes("keyring") ? canUseKeyring : true;

  it.skipIf(!runs)(
    "has a point between every two steps of a write",
    proves("oauth-store/killed-between-steps"),
    async () => {
      for (const [at, steps] of (await rehearse(kind)).entries()) {
        expect(steps.map(({ is }) => is)).toContain("change");
        expect(adjacentSteps(steps), waysOf(kind)[at]?.name).toEqual([]);
      }
    },
  );

  it.skipIf(!runs)(
    `killed at each of them, ${kills} times, can be read, and shows what it had or what it was given`,
    {
      ...proves("oauth-store/killed-between-steps"),
      timeout: LONG ? 1_800_000 : 180_000,
    },
    async () => {
      const points = (await rehearse(kind)).map(pointsOf);
      const cases: Case[] = waysOf(kind).flatMap((way, n) =>
        (points[n] ?? []).map((_, at, all) => ({ way, passed: all.slice(0, at + 1) })),
      );
      let falls = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        if (kill % 20 === 19 && kind.includes("keyring")) await newDaemon();
        try {
          await killAtEach(kind, cases);
        } catch (error) {
          // A round in which the daemon itself fell says nothing of us: it is made again.
          if (!kind.includes("keyring") || !(await service().hadFallen()) || ++falls > MOST_FALLS)
            throw error;
          kill -= 1;
        }
      }
      if (falls > 0) figure(`times a keyring daemon fell: ${kind}`, falls);
    },
  );
});
