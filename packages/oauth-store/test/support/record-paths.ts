import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TemporaryHome } from "@hawser/test-kit";

/** The record files of the one credential in a home, the lowest attempt first. */
export async function recordPaths(home: TemporaryHome): Promise<string[]> {
  const spend = home.file("spend");
  const [directory = ""] = await readdir(spend);
  const names = await readdir(join(spend, directory));
  const attempt = (name: string) => Number(name.split(".")[1]);
  return names
    .filter((name) => /^[0-9a-f]{32}\.\d+$/.test(name))
    .sort((a, b) => attempt(a) - attempt(b))
    .map((name) => join(spend, directory, name));
}

/** Writes spaces over a part of a record, in place, as a broken disk would. */
export async function damage(path: string, part: "header" | "body"): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(Buffer.alloc(200, 0x20), 0, 200, part === "header" ? 0 : 4096);
  } finally {
    await file.close();
  }
}
