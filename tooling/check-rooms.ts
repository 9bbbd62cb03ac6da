import fs from "node:fs";
import path from "node:path";
import { type Room, rooms } from "./rooms.ts";
import { importSpecifiers, sourceWords, splitWords } from "./source-words.ts";

export interface RoomViolation {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** Every arrow or word in `room` that its row of the table does not allow, and every exception it does not use. */
export function checkRoom(room: Room, root: string): RoomViolation[] {
  const source = path.join(root, room.folder, "src");
  const violations: RoomViolation[] = [];
  const usedWire = new Set<Room["wire"][number]>();
  for (const file of typescriptFiles(source)) {
    const inside = path.relative(source, file).split(path.sep).join("/");
    const shown = path.relative(root, file);
    const text = fs.readFileSync(file, "utf8");

    for (const { specifier, line } of importSpecifiers(text)) {
      const what = wrongArrow(room, specifier, file, source);
      if (what !== undefined) violations.push({ file: shown, line, what });
    }

    const found = [...sourceWords(text), ...splitWords(inside).map((word) => ({ word, line: 0 }))];
    const reported = new Set<string>();
    for (const { word: said, line } of found) {
      const word = room.neverSays.find((never) => said === never || said === `${never}s`);
      if (word === undefined || reported.has(`${word}:${line}`)) continue;
      reported.add(`${word}:${line}`);
      const allowed = room.wire.find((entry) => entry.word === word && entry.file === inside);
      if (allowed === undefined) violations.push({ file: shown, line, what: `says ${JSON.stringify(word)}` });
      else usedWire.add(allowed);
    }
  }
  for (const entry of room.wire) {
    if (!usedWire.has(entry)) {
      const what = `the exception for ${JSON.stringify(entry.word)} in ${entry.file} is not used`;
      violations.push({ file: "tooling/rooms.ts", line: 0, what });
    }
  }
  return violations;
}

function wrongArrow(room: Room, specifier: string, file: string, source: string): string | undefined {
  if (specifier.startsWith(".")) {
    const target = path.resolve(path.dirname(file), specifier);
    return target.startsWith(source + path.sep) ? undefined : `imports ${specifier}, outside its own src`;
  }
  if (!specifier.startsWith("@hawser/")) return undefined;
  const allowed = room.opens.some((open) => specifier === open);
  return allowed ? undefined : `imports ${specifier}; it may open ${room.opens.join(", ") || "no room"}`;
}

function typescriptFiles(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => path.join(folder, name));
}

if (import.meta.main) {
  const root = path.dirname(import.meta.dirname);
  const violations = rooms.flatMap((room) => checkRoom(room, root));
  for (const { file, line, what } of violations) console.error(`${file}:${line}: ${what}`);
  console.log(
    violations.length === 0
      ? `rooms: ${rooms.length} rooms keep to their table`
      : `rooms: ${violations.length} violations`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
}
