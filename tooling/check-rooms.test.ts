import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { checkRoom } from "./check-rooms.ts";
import type { Room } from "./rooms.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** A room with one planted file. */
function planted(name: string, source: string, room: Partial<Room> = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "rooms-"));
  folders.push(root);
  const file = path.join(root, "packages/wire/src", name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, source);
  const row: Room = {
    folder: "packages/wire",
    promise: "Sends.",
    opens: ["@hawser/below"],
    neverSays: ["token"],
    wire: [],
    ...room,
  };
  return checkRoom(row, root).map(({ what }) => what);
}

describe(checkRoom, () => {
  it("lets a room be that keeps to its row", () => {
    expect(
      planted(
        "send.ts",
        'import { a } from "@hawser/below";\nimport "./other.ts";\nexport const b = a; // token',
      ),
    ).toEqual([]);
  });

  it.each([
    [
      "an import of another room",
      "a.ts",
      'import "@hawser/above";',
      "imports @hawser/above; it may open @hawser/below",
    ],
    [
      "a type import of another room",
      "a.ts",
      'import type { A } from "@hawser/above";',
      "imports @hawser/above; it may open @hawser/below",
    ],
    [
      "a deep import of an allowed room",
      "a.ts",
      'import "@hawser/below/inside";',
      "imports @hawser/below/inside; it may open @hawser/below",
    ],
    [
      "a path out of its own src",
      "a.ts",
      'import "../../above/src/index.ts";',
      "imports ../../above/src/index.ts, outside its own src",
    ],
    ["a word in an identifier", "a.ts", "const accessToken = 1;", 'says "token"'],
    ["a word in a string", "a.ts", 'const a = "refresh-tokens";', 'says "token"'],
    ["a word in a file name", "read-token.ts", "export {};", 'says "token"'],
  ])("reports %s", (_what, name, source, violation) => {
    expect(planted(name, source)).toEqual([violation]);
  });

  it("passes over tests", () => {
    expect(planted("a.test.ts", "const token = 1;")).toEqual([]);
  });

  it("allows a word where the protocol dictates it, and only there", () => {
    const wire = [{ word: "token", file: "a.ts", why: "RFC 6749 names it" }];
    expect(planted("a.ts", "const token = 1;", { wire })).toEqual([]);
    expect(planted("b.ts", "const token = 1;", { wire })).toEqual([
      'says "token"',
      'the exception for "token" in a.ts is not used',
    ]);
  });
});
