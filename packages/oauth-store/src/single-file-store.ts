import { existsSync, lstatSync, readlinkSync, realpathSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreReadOptions,
  StoreRehearsalOptions,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { syncDirectory } from "./descriptor.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText } from "./json-text.ts";
import type { HeldLock, LockProvider } from "./lock-provider.ts";
import { moveAside } from "./move-aside.ts";
import { printForFile } from "./print-for-file.ts";
import { readUpToLimit, TOO_LARGE } from "./read-regular-file.ts";
import { ensurePrivateDirectory } from "./safe-path.ts";
import { rehearseFileWrite, sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

/** Where the file and its locks are: the same for all programs that share it. */
export interface SingleFileStoreOptions {
  /** The file: one JSON value, the credential. A link there is followed: the file it ends at is replaced. */
  readonly path: string;
  /** Locks taken, in this order, around a commit. @defaultValue `<file>.lock` beside the file itself */
  readonly lockPaths?: readonly string[] | undefined;
  /** What takes those locks. @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
}

const MAX_DEPTH = 64;

/**
 * One credential in a file of its own, printed with two spaces. The store key only names locks and records. A file
 * that is not JSON is `ERR_OAUTH_STORE_CORRUPT`; a login or logout moves it aside to `<file>.corrupt-<ms>`, which is
 * never deleted.
 */
export function createSingleFileStore(options: SingleFileStoreOptions): CredentialStore {
  const { path, lockPaths, locks = flockProvider() } = options;

  async function load(file: string): Promise<Loaded | undefined | typeof CORRUPT> {
    const text = await readUpToLimit(file);
    if (text === undefined) return undefined;
    if (text === TOO_LARGE) return CORRUPT;
    try {
      return { value: parseJsonText(text, { maxDepth: MAX_DEPTH }), text };
    } catch {
      return CORRUPT; // What it was is of no use to anybody, and may quote a secret.
    }
  }

  const print = (value: JsonValue, before?: string) =>
    printForFile(value, path, { maxDepth: MAX_DEPTH, before, indent: 2 });

  async function locked<T>(file: string, work: () => Promise<T>, timeoutMs = 60_000): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs;
    const held: HeldLock[] = [];
    try {
      for (const lockPath of lockPaths ?? [`${file}.lock`]) {
        held.push(await locks.acquire(lockPath, { timeoutMs: Math.max(0, deadlineMs - performance.now()) }));
      }
      return await work();
    } finally {
      for (const lock of held.reverse()) lock.release();
    }
  }

  return Object.freeze({
    name: "file",

    async read(_key: string, { lockTimeoutMs }: StoreReadOptions = {}): Promise<JsonValue | undefined> {
      const file = targetOf(path);
      const first = await load(file);
      if (first !== CORRUPT) return first?.value;
      const second = await locked(file, () => load(file), lockTimeoutMs);
      if (second === CORRUPT) throw corrupt(path);
      return second?.value;
    },

    async update(
      _key: string,
      change: (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>,
      { lockTimeoutMs, faultPoint, quarantine = false }: StoreUpdateOptions = {},
    ): Promise<void> {
      const file = targetOf(path);
      ensurePrivateDirectory(dirname(file));
      await locked(
        file,
        async () => {
          await faultPoint?.("store/locked");
          let loaded = await load(file);
          if (loaded === CORRUPT) {
            if (!quarantine) throw corrupt(path);
            await moveAside(file, faultPoint);
            loaded = undefined;
          }
          // First, whatever is decided: a logout that finds no entry takes what a killed login left as well.
          await sweepTemporaryFiles(file, { faultPoint });
          const decided = await change(loaded?.value);
          if (decided === "keep") return;
          await faultPoint?.("store/decided");
          const text = decided === "remove" ? undefined : print(decided.write, loaded?.text);
          if (text !== undefined) await writeFileAtomic(file, text, { faultPoint });
          else if (loaded !== undefined) await removeFile(file, faultPoint);
          await faultPoint?.("store/changed");
        },
        lockTimeoutMs,
      );
    },

    async rehearse(
      _key: string,
      entry: JsonValue,
      { faultPoint }: StoreRehearsalOptions = {},
    ): Promise<void> {
      const file = targetOf(path);
      ensurePrivateDirectory(dirname(file));
      await rehearseFileWrite(file, print(entry), { faultPoint });
    },
  });
}

interface Loaded {
  readonly value: JsonValue;
  /** As it is written there. */
  readonly text: string;
}

const CORRUPT: unique symbol = Symbol("corrupt");

/** The file itself, or what the link at its place leads to. */
function targetOf(path: string): string {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return path;
    const target = resolve(dirname(path), readlinkSync(path));
    return existsSync(target) ? realpathSync(target) : target;
  } catch (error) {
    throw fileError(error, path);
  }
}

async function removeFile(file: string, faultPoint: StoreUpdateOptions["faultPoint"]): Promise<void> {
  try {
    await unlink(file);
    await faultPoint?.("file/removed");
    await syncDirectory(dirname(file));
  } catch (error) {
    throw fileError(error, file);
  }
}

function corrupt(path: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is not JSON`);
}
