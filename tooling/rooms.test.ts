import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { rooms } from "./rooms.ts";

const root = path.dirname(import.meta.dirname);

it("has a row for every package and app", () => {
  const folders = ["packages", "apps"].flatMap((group) =>
    fs.readdirSync(path.join(root, group)).map((name) => `${group}/${name}`),
  );
  expect(folders.filter((folder) => !rooms.some((room) => room.folder === folder))).toEqual([]);
});

it("gives every exception a reason", () => {
  expect(rooms.flatMap((room) => room.wire).filter(({ why }) => why.trim().length < 10)).toEqual([]);
});
