import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { assertOwnFile } from "./safe-path.ts";

const MAX_BYTES = 16 * 1024 * 1024;

/** The text of a regular file of ours, following no link; undefined when there is none. */
export async function readRegularFile(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  try {
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await file.stat();
      assertOwnFile(stats, path);
      if (stats.size > MAX_BYTES)
        throw new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is too large`);
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
