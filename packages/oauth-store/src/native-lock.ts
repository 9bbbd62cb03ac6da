import { createRequire } from "node:module";
import { parse, resolve } from "node:path";
import { CredentialError } from "./errors.ts";

/** The operating system's whole-file lock on an open descriptor. */
export interface NativeLock {
  /** Never blocks; false when another descriptor has the lock. */
  tryLock(descriptor: number): boolean;
  /** The same on another thread, for file systems where even that may block. */
  tryLockAside(descriptor: number): Promise<boolean>;
  unlock(descriptor: number): void;
  /** Whether the volume of `path` belongs to this machine; undefined where the file system's type says so. */
  isLocalVolume(path: string): boolean | undefined;
}

/** The parts of the foreign-function library that are used here. */
interface Koffi {
  load(name: string | null): { func(definition: string): ForeignFunction };
  struct(name: string, members: Record<string, string>): unknown;
  errno(): number;
  os: { errno: Record<string, number> };
}

interface ForeignFunction {
  (...values: unknown[]): unknown;
  async(...valuesAndCallback: unknown[]): void;
}

const EXCLUSIVE = 2;
const NON_BLOCKING = 4;
const UNLOCK = 8;

/** Loads the library of this platform. Throws `ERR_OAUTH_STORE_LOCK_UNAVAILABLE` where there is none. */
export function loadNativeLock(): NativeLock {
  const name = `@koromix/koffi-${process.platform}-${process.arch}`;
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)(name) as Koffi;
  } catch {
    throw new CredentialError(
      "ERR_OAUTH_STORE_LOCK_UNAVAILABLE",
      `file locks need the package ${name}: install it (it is an optional dependency) or pass a LockProvider`,
    );
  }
  return process.platform === "win32" ? windowsLock(koffi) : posixLock(koffi);
}

function posixLock(koffi: Koffi): NativeLock {
  const self = koffi.load(null);
  const flock = self.func("int flock(int descriptor, int operation)");
  const { EINTR, EWOULDBLOCK, EAGAIN } = koffi.os.errno;
  /** Undefined when the call was interrupted. */
  const outcome = (result: unknown): boolean | undefined => {
    if (result === 0) return true;
    const errno = koffi.errno();
    if (errno === EWOULDBLOCK || errno === EAGAIN) return false;
    if (errno !== EINTR) throw unsupported(`errno ${errno}`);
    return undefined;
  };
  return {
    tryLock(descriptor) {
      for (;;) {
        const locked = outcome(flock(descriptor, EXCLUSIVE | NON_BLOCKING));
        if (locked !== undefined) return locked;
      }
    },
    async tryLockAside(descriptor) {
      for (;;) {
        const locked = await aside(flock, outcome, descriptor, EXCLUSIVE | NON_BLOCKING);
        if (locked !== undefined) return locked;
      }
    },
    unlock(descriptor) {
      flock(descriptor, UNLOCK);
    },
    isLocalVolume: process.platform === "darwin" ? darwinVolume(self) : () => undefined,
  };
}

/** Calls on a thread of the pool; `read` sees the result, and the errno of that call, when it is back. */
function aside<T>(call: ForeignFunction, read: (result: unknown) => T, ...values: unknown[]): Promise<T> {
  return new Promise((resolve, reject) => {
    call.async(...values, (error: unknown, result: unknown) => {
      try {
        if (error) throw unsupported("call");
        resolve(read(result));
      } catch (failure) {
        reject(failure);
      }
    });
  });
}

/** statfs(2) with 64-bit inodes: `f_flags` stands at byte 64 and has MNT_LOCAL (0x1000). */
function darwinVolume(self: ReturnType<Koffi["load"]>): (path: string) => boolean {
  const symbol = process.arch === "x64" ? "statfs$INODE64" : "statfs";
  return (path) => {
    try {
      const statfs = self.func(`int ${symbol}(const char *path, _Out_ uint8_t *buffer)`);
      const buffer = Buffer.alloc(4096);
      return statfs(path, buffer) === 0 && (buffer.readUInt32LE(64) & 0x1000) !== 0;
    } catch {
      return false; // Unproven is the safe answer.
    }
  };
}

/**
 * LockFileEx locks are mandatory, so one byte far beyond any content is locked: the records stay readable, and the
 * range still overlaps that of programs that lock a whole file.
 */
function windowsLock(koffi: Koffi): NativeLock {
  koffi.struct("HAWSER_OVERLAPPED", {
    Internal: "uintptr_t",
    InternalHigh: "uintptr_t",
    Offset: "uint32_t",
    OffsetHigh: "uint32_t",
    hEvent: "uintptr_t",
  });
  const self = koffi.load(null);
  const kernel = koffi.load("kernel32.dll");
  // Node's descriptors mean something only to the C runtime inside Node, which libuv gives access to.
  const handleOf = self.func("intptr_t uv_get_osfhandle(int descriptor)");
  const lockFile = kernel.func(
    "int __stdcall LockFileEx(intptr_t file, uint32_t flags, uint32_t reserved, uint32_t low, uint32_t high, _Inout_ HAWSER_OVERLAPPED *at)",
  );
  const unlockFile = kernel.func(
    "int __stdcall UnlockFileEx(intptr_t file, uint32_t reserved, uint32_t low, uint32_t high, _Inout_ HAWSER_OVERLAPPED *at)",
  );
  const driveType = kernel.func("uint32_t __stdcall GetDriveTypeW(str16 root)");
  const far = () => ({ Internal: 0, InternalHigh: 0, Offset: 0, OffsetHigh: 0x40000000, hEvent: 0 });
  const FAIL_IMMEDIATELY_AND_EXCLUSIVE = 3;
  const DRIVE_FIXED = 3;
  const DRIVE_RAMDISK = 6;
  return {
    tryLock: (descriptor) =>
      lockFile(handleOf(descriptor), FAIL_IMMEDIATELY_AND_EXCLUSIVE, 0, 1, 0, far()) !== 0,
    tryLockAside: (descriptor) =>
      aside(
        lockFile,
        (result) => result !== 0,
        handleOf(descriptor),
        FAIL_IMMEDIATELY_AND_EXCLUSIVE,
        0,
        1,
        0,
        far(),
      ),
    unlock(descriptor) {
      unlockFile(handleOf(descriptor), 0, 1, 0, far());
    },
    isLocalVolume(path) {
      const { root } = parse(resolve(path));
      if (root.startsWith("\\\\")) return false;
      const type = driveType(root);
      return type === DRIVE_FIXED || type === DRIVE_RAMDISK;
    },
  };
}

function unsupported(reason: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_LOCK_UNAVAILABLE", "this file system offers no file lock", {
    reason,
  });
}
