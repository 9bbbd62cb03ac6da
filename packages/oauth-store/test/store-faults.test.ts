import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { proves, type SpawnedChild, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialStore, type JsonValue, systemKeyring } from "../src/index.ts";
import type { FaultyWrite } from "./children/faulty-writer-child.ts";
import { canUseKeyring, useSecretService } from "./support/desktop.ts";
import { KEY } from "./support/memory-setting.ts";
import { FILE_OF, type StoreKind, storeMaker } from "./support/store-kinds.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
/** A keyring is slow; its writes have fewer steps. */
const killsOf = (kind: StoreKind) => (LONG ? 100 : kind.includes("keyring") ? 1 : 3);
const CHILD = new URL("./children/faulty-writer-child.ts", import.meta.url);

const OLD = { old: true, padding: "o".repeat(20_000) };
const NEW = { new: true, padding: "n".repeat(20_000) };
const WITNESS = { access_token: "somebody else's", unknown: { nested: [1] } };
const OTHER = "other|1";

/** What a write is about to change, and the points it passes; from `from` on the change has happened. */
interface Way {
  readonly name: string;
  readonly before: readonly ("old" | "witness" | "broken")[];
  readonly write: JsonValue | "remove";
  readonly points: readonly string[];
  readonly from: string;
}

const fileWritten = [
  "store/decided",
  "file/temporary-created",
  "file/temporary-unsynced",
  "file/temporary-written",
  "file/renamed",
  "store/changed",
];
const fileRemoved = ["store/decided", "file/removed", "store/changed"];
const aside = ["aside/private", "aside/renamed", "aside/moved"];
const keyringSet = ["store/decided", "keyring/set", "keyring/written"];
const keyringRemoved = ["store/decided", "keyring/removed", "keyring/written"];

function waysOf(kind: StoreKind): Way[] {
  const shared = kind === "single file" ? [] : (["witness"] as const);
  const isKeyring = kind === "keyring";
  const made = keyPoints(kind);
  const [decided = "", ...later] = fileWritten;
  const written = isKeyring ? keyringSet : fileWritten;
  const from = isKeyring ? "keyring/set" : "file/renamed";
  const anew = isKeyring ? written : [decided, ...made, ...later];
  const moved = isKeyring ? ["keyring/removed"] : aside;
  const ways: Way[] = [
    { name: "the first entry", before: [], write: NEW, points: anew, from },
    { name: "a change", before: ["old", ...shared], write: NEW, points: written, from },
    {
      name: "the removal of the last entry",
      before: ["old"],
      write: "remove",
      points: isKeyring ? keyringRemoved : fileRemoved,
      from: isKeyring ? "keyring/removed" : "file/removed",
    },
    {
      name: "a login over what is broken",
      before: ["broken"],
      write: NEW,
      points: [...moved, ...anew],
      from,
    },
  ];
  if (shared.length > 0) {
    ways.push({
      name: "a removal",
      before: ["old", "witness"],
      write: "remove",
      points: isKeyring ? keyringRemoved : fileWritten,
      from: isKeyring ? "keyring/removed" : "file/renamed",
    });
  }
  return ways.map((way) => ({ ...way, points: ["store/locked", ...way.points] }));
}

/** An encrypted file has its key made before its first entry is written. */
function keyPoints(kind: StoreKind): string[] {
  const file = [
    "key/file/temporary-created",
    "key/file/temporary-unsynced",
    "key/file/temporary-written",
    "key/file/renamed",
  ];
  if (kind === "encrypted file") return [...file, "key/written"];
  return kind === "encrypted file with its key in the keyring" ? ["key/keyring/set", "key/written"] : [];
}

let root: TemporaryHome;
let homes = 0;
const children: SpawnedChild[] = [];
beforeEach(async () => {
  root = await temporaryHome();
});
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
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
  return home;
}

/** What stands there now: `"broken"` where it cannot be read. */
async function found(store: CredentialStore): Promise<unknown> {
  return store.read(KEY).catch((error: { code: string }) => {
    expect(error.code).toBe("ERR_OAUTH_STORE_CORRUPT");
    return "broken";
  });
}

async function expectKilled(kind: StoreKind, way: Way, point: string, home: string): Promise<void> {
  const { before, write, points, from } = way;
  const at = (name: string) => points.indexOf(name);
  const store = open(kind, home);
  const isChanged = at(point) >= at(from);
  const isMoved = at(point) >= Math.max(at("aside/renamed"), kind === "keyring" ? at("keyring/removed") : -1);
  const untouched = before.includes("old")
    ? OLD
    : before.includes("broken") && !isMoved
      ? "broken"
      : undefined;
  const changed = write === "remove" ? undefined : write;
  const where = `${way.name}, killed at ${point}`;
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
      if (kind.includes("keyring")) service();
      for (const way of waysOf(kind)) {
        const passed: string[] = [];
        await open(kind, await prepare(kind, way)).update(
          KEY,
          () => (way.write === "remove" ? "remove" : { write: way.write }),
          { quarantine: true, faultPoint: (name) => void passed.push(name) },
        );
        expect(passed, way.name).toEqual(way.points);
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
      for (let kill = 0; kill < kills; kill += 1) {
        if (kill % 20 === 19 && kind.includes("keyring")) await newDaemon();
        const cases = waysOf(kind).flatMap((way) => way.points.map((point) => ({ way, point })));
        const writes: FaultyWrite[] = [];
        for (const { way, point } of cases) {
          const home = await prepare(kind, way);
          writes.push({ home, key: KEY, write: way.write, quarantine: true, stopAt: point });
        }
        const victim = spawnChild({ script: CHILD });
        children.push(victim);
        victim.send({ kind, writes });
        const stood: string[] = [];
        for (const _ of cases) stood.push(await victim.receive<string>());
        expect(stood.sort()).toEqual(cases.map(({ point }) => point).sort());
        expect((await victim.kill()).signal).toBe("SIGKILL");
        for (const [at, { way, point }] of cases.entries()) {
          await expectKilled(kind, way, point, writes[at]?.home ?? "");
        }
      }
    },
  );
});
