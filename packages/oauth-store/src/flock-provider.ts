import { closeSync, constants, fstatSync, lstatSync, openSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { HeldLock, LockAcquireOptions, LockProvider } from "./lock-provider.ts";
import { loadNativeLock, type NativeLock } from "./native-lock.ts";
import { oneAtATime, within } from "./one-at-a-time.ts";
import { queueByPath } from "./queue-by-path.ts";
import { assertOwnFile, assertPrivateDirectory, ensurePrivateDirectory } from "./safe-path.ts";

const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 20;
/** What a first try on another thread is given, also for whoever does not want to wait for the lock. */
const SHORTEST_TRY_MS = 1000;

/** Linux file systems on which flock(2) is kept by one kernel and ends with its holder. */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x2fc12fc1, // zfs
  0xf2f52010, // f2fs
  0xca451a4e, // bcachefs
  0x794c7630, // overlayfs
]);

/**
 * Real file locks: flock(2), on Windows LockFileEx. They exclude other programs that use the same, and the kernel
 * frees them when the holder dies. Callers of one provider queue for a path; the first of them polls, with jitter, and
 * never blocks a thread. On a network or FUSE file
 * system, where even a try may block, it is made on another thread, one at a time per provider: give all sessions on
 * such a file system the same provider. The native library is loaded at the first lock; without it every call throws
 * `ERR_OAUTH_STORE_LOCK_UNAVAILABLE`.
 */
export function flockProvider(): LockProvider {
  let loaded: NativeLock | undefined;
  const native = (): NativeLock => {
    loaded ??= loadNativeLock();
    return loaded;
  };
  const provesDeath = (path: string) => native().isLocalVolume(path) ?? isLocalFileSystem(path);
  const inTurn = oneAtATime();
  const tryLock = (descriptor: number, path: string): boolean | Promise<boolean> =>
    provesDeath(path) ? native().tryLock(descriptor) : inTurn(() => native().tryLockAside(descriptor));
  return Object.freeze({
    acquire: queueByPath((path, options) => acquire(native(), tryLock, path, options)),
    tryLock,
    unlock: (descriptor: number) => native().unlock(descriptor),
    provesDeath,
  });
}

async function acquire(
  native: NativeLock,
  tryLock: LockProvider["tryLock"],
  path: string,
  options: LockAcquireOptions = {},
): Promise<HeldLock> {
  const { timeoutMs = 60_000, signal, onContention } = options;
  signal?.throwIfAborted();
  const deadlineMs = performance.now() + timeoutMs;
  const leftMs = () => deadlineMs - performance.now();
  let descriptor = openLockFile(path);
  try {
    let contended = false;
    for (let polls = 0; ; polls += 1) {
      const trying = tryLock(descriptor, path);
      const locked =
        typeof trying === "boolean"
          ? trying
          : await within(
              trying,
              Math.max(polls === 0 ? SHORTEST_TRY_MS : 0, leftMs()),
              signal,
              lateClose(native, descriptor),
            );
      if (locked === "late") {
        descriptor = -1; // Closed when the try is back.
        signal?.throwIfAborted();
        throw notFree(path, timeoutMs);
      }
      if (locked) {
        if (isSameFile(descriptor, path)) return held(native, descriptor, path);
        // Somebody removed the file we locked: others lock the one that is at the path now.
        native.unlock(descriptor);
        closeSync(descriptor);
        descriptor = -1;
        descriptor = openLockFile(path);
      }
      if (leftMs() <= 0) throw notFree(path, timeoutMs);
      if (!locked && !contended) {
        contended = true;
        onContention?.();
      }
      const pollMs = Math.min(FIRST_POLL_MS * 1.5 ** polls, LONGEST_POLL_MS) * (0.5 + Math.random());
      await pause(Math.min(pollMs, leftMs()), signal);
    }
  } catch (error) {
    if (descriptor >= 0) closeSync(descriptor);
    throw error;
  }
}

function held(native: NativeLock, descriptor: number, path: string): HeldLock {
  let open = true;
  return {
    isIntact: () => open && isSameFile(descriptor, path),
    release() {
      if (!open) return;
      open = false;
      // A child process that inherited the descriptor would keep the lock past the close.
      native.unlock(descriptor);
      closeSync(descriptor);
    },
  };
}

function openLockFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const open = () => openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  let descriptor: number;
  try {
    descriptor = open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(error, path);
    ensurePrivateDirectory(dirname(path));
    try {
      descriptor = open();
    } catch (again) {
      throw fileError(again, path);
    }
  }
  try {
    // Where others can write they can take the file away from under us.
    assertPrivateDirectory(dirname(path));
    assertOwnFile(fstatSync(descriptor), path);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}

function isSameFile(descriptor: number, path: string): boolean {
  const mine = fstatSync(descriptor, { bigint: true });
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === mine.ino && there.dev === mine.dev;
}

function isLocalFileSystem(path: string): boolean {
  try {
    return LOCAL_FILE_SYSTEMS.has(statfsSync(dirname(path)).type >>> 0);
  } catch {
    return false;
  }
}

async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    signal?.throwIfAborted();
  }
}

function notFree(path: string, timeoutMs: number): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_LOCK_TIMEOUT", `not free within ${timeoutMs} ms: ${path}`);
}

/** A descriptor that a try on another thread still uses is closed, and its lock given back, when the try is over. */
function lateClose(native: NativeLock, descriptor: number): () => void {
  return () => {
    native.unlock(descriptor);
    closeSync(descriptor);
  };
}
