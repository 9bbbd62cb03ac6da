import { mkdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";

/** Creates the directory, 0700, and its parents where they are missing; then asserts that it is private. */
export function ensurePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(reasonOf(error, path), path);
  }
  assertPrivateDirectory(path);
}

/** A directory that is ours and that nobody else can write to: a name in it cannot be swapped under us. */
export function assertPrivateDirectory(path: string): void {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    throw fileError(error, path);
  }
  if (!stats.isDirectory()) throw unsafe(path, "not a directory");
  if (process.platform === "win32") return; // Access there is a matter of inherited lists, not of mode bits.
  if (!isOurs(stats)) throw unsafe(path, "owned by somebody else");
  if ((stats.mode & 0o022) !== 0) throw unsafe(path, "others can write to it (chmod go-w)");
}

/** A regular file of ours under one name. */
export function assertOwnFile(stats: Stats, path: string): void {
  if (!stats.isFile()) throw unsafe(path, "not a regular file");
  if (stats.nlink > 1) throw unsafe(path, "it has a second name");
  if (process.platform !== "win32" && !isOurs(stats)) throw unsafe(path, "owned by somebody else");
}

/**
 * Whether the file itself is a mount point, as with a single file bound into a container: a rename cannot replace
 * it, and one made outside is never seen inside.
 */
export function isMountPoint(path: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    // The table names real paths.
    const target = join(realpathSync(dirname(path)), basename(path));
    return readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .some((line) => unescapeOctal(line.split(" ")[4] ?? "") === target);
  } catch {
    return false; // Without /proc nothing can be said; the rename will fail by itself.
  }
}

/** Making a directory with its parents says ENOENT where making the one says what is the matter. */
function reasonOf(error: unknown, path: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") return error;
  try {
    mkdirSync(path, { mode: 0o700 });
    return error;
  } catch (reason) {
    return reason;
  }
}

function isOurs(stats: Stats): boolean {
  return stats.uid === process.geteuid?.();
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function unsafe(path: string, why: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_UNSAFE_FILE", `${path} is not safe to use: ${why}`);
}
