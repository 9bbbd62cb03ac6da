import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { assertOwnFile } from "./safe-path.ts";

/** Larger than anything that is kept here. */
export const MAX_FILE_BYTES: number = 16 * 1024 * 1024;

/** Stands for the text of a file over that limit. */
export const TOO_LARGE: unique symbol = Symbol("too large");

/** The text of a regular file of ours, following no link; undefined when there is none. */
export async function readRegularFile(path: string): Promise<string | undefined> {
  const text = await readUpToLimit(path);
  if (text === TOO_LARGE) throw new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is too large`);
  return text;
}

/** The same for whoever may move a file out of the way that is too large. */
export async function readUpToLimit(path: string): Promise<string | undefined | typeof TOO_LARGE> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  try {
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await file.stat();
      assertOwnFile(stats, path);
      if (stats.size > MAX_FILE_BYTES) return TOO_LARGE;
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw fileError(error, path);
  }
}
