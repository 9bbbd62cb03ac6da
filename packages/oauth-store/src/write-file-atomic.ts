import { randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { open, readdir, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "./descriptor.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { renamePatiently } from "./rename-patiently.ts";
import { assertOwnFile, assertPrivateDirectory, isMountPoint } from "./safe-path.ts";

/** For tests only. */
export interface WriteFileAtomicOptions {
  /** For tests: called between the steps. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

/**
 * Replaces a file whole: a reader sees the old text or the new, and when this resolves the new is durable. Mode
 * 0600. What stands at `path` must be absent or a regular, writable file of ours under one name, in a directory
 * only we can write to; else `ERR_OAUTH_STORE_UNSAFE_FILE` or `ERR_OAUTH_STORE_NOT_WRITABLE`.
 */
export async function writeFileAtomic(
  path: string,
  text: string,
  { faultPoint }: WriteFileAtomicOptions = {},
): Promise<void> {
  assertReplaceable(path);
  const temporary = await writeTemporary(path, text, faultPoint);
  try {
    await faultPoint?.("file/temporary-written");
    await renamePatiently(temporary, path);
    await faultPoint?.("file/renamed");
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(temporary).catch(() => {}); // Renamed already, or swept later.
    throw fileError(error, path);
  }
}

/** Proves that a text of this length could replace the file now: the same steps, up to the rename. */
export async function rehearseFileWrite(
  path: string,
  text: string,
  { faultPoint }: WriteFileAtomicOptions = {},
): Promise<void> {
  assertReplaceable(path);
  // The bytes stay ours: a placeholder of the same length is written, not what is to be stored.
  const temporary = await writeTemporary(path, "x".repeat(Buffer.byteLength(text)), faultPoint);
  await faultPoint?.("file/temporary-written");
  await unlink(temporary).catch(() => {}); // Swept by the next writer.
}

/** Removes what an interrupted `writeFileAtomic` left. Only for whoever keeps other writers of `path` away. */
export async function sweepTemporaryFiles(
  path: string,
  { faultPoint }: WriteFileAtomicOptions = {},
): Promise<void> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (!isTemporary(name, path)) continue;
    await unlink(join(directory, name)).catch(() => {});
    await faultPoint?.("file/swept");
  }
}

function assertReplaceable(path: string): void {
  assertPrivateDirectory(dirname(path));
  let stats: ReturnType<typeof lstatSync>;
  try {
    stats = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fileError(error, path);
  }
  if (stats === undefined) return;
  assertOwnFile(stats, path);
  // A rename would replace a read-only file all the same; whoever made it so meant it.
  if ((stats.mode & 0o200) === 0) throw notWritable(path, "read-only");
  if (isMountPoint(path)) throw notWritable(path, "mounted-file");
}

async function writeTemporary(
  path: string,
  text: string,
  faultPoint?: WriteFileAtomicOptions["faultPoint"],
): Promise<string> {
  const temporary = join(dirname(path), temporaryName(path, randomBytes(8).toString("hex")));
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await faultPoint?.("file/temporary-created");
      await file.writeFile(text);
      await faultPoint?.("file/temporary-unsynced");
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await unlink(temporary).catch(() => {}); // It may never have been made.
    throw fileError(error, path);
  }
  return temporary;
}

function temporaryName(path: string, digits: string): string {
  return `.${basename(path)}.${digits}.tmp`;
}

/** Whether it is of a writer of this very file: `.auth.json.…` is none of a writer of `auth`. */
function isTemporary(name: string, path: string): boolean {
  const digits = /\.([0-9a-f]{16})\.tmp$/.exec(name)?.[1];
  return digits !== undefined && name === temporaryName(path, digits);
}

function notWritable(path: string, reason: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", `${path} cannot be replaced: ${reason}`, {
    reason,
  });
}
