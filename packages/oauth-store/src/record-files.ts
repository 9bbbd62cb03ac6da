import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { claimedFile } from "./claimed-file.ts";
import { readAt, syncDescriptor, syncDirectory, writeAt, writeAtOnce } from "./descriptor.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { LockProvider } from "./lock-provider.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES } from "./record-codec.ts";
import { assertOwnFile } from "./safe-path.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord, FoundRecord, OwnerProof } from "./spend-ledger.ts";

interface RecordName {
  readonly fingerprint: string;
  readonly attempt: number;
}

interface RecordFiles {
  read(name: RecordName): Promise<FoundRecord | undefined>;
  claim(header: SpendHeader, bodyBytes: number): Promise<ClaimedRecord | undefined>;
  ownerOf(name: RecordName): Promise<OwnerProof>;
  readBody(name: RecordName): Promise<Uint8Array | undefined>;
  writeHeader(name: RecordName, header: SpendHeader): Promise<void>;
  wipeBody(name: RecordName): Promise<void>;
  remove(name: RecordName): Promise<void>;
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** The record files of one directory: `<fingerprint>.<attempt>`, header, then body. */
export function openRecordFiles(options: {
  directory: string;
  locks: LockProvider;
  faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}): RecordFiles {
  const { directory, locks, faultPoint } = options;
  const pathOf = (name: RecordName) => join(directory, `${name.fingerprint}.${name.attempt}`);

  /** Runs `work` on the open record; undefined when there is none. */
  async function withFile<T>(
    name: RecordName,
    flags: number,
    work: (descriptor: number) => Promise<T>,
  ): Promise<T | undefined> {
    const path = pathOf(name);
    let descriptor: number;
    try {
      descriptor = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError(error, path);
    }
    try {
      assertOwnFile(fstatSync(descriptor), path);
      return await work(descriptor);
    } catch (error) {
      throw fileError(error, path);
    } finally {
      closeSync(descriptor);
    }
  }

  return {
    read: (name) =>
      withFile(name, O_RDONLY, async (descriptor) => {
        const header = decodeHeader(await readAt(descriptor, HEADER_BYTES, 0));
        if (header === "newer") {
          throw new CredentialError(
            "ERR_OAUTH_STORE_UNSUPPORTED",
            `${pathOf(name)} was written by a newer version: nothing is sent`,
          );
        }
        return { ...name, header, writtenAtMs: fstatSync(descriptor).mtimeMs };
      }),

    async claim(header, bodyBytes) {
      const path = pathOf(header);
      let descriptor: number;
      try {
        descriptor = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
        throw fileError(error, path);
      }
      try {
        // Nothing lies between creation and lock: whoever sees the record sees it locked while we live.
        if (!(await locks.tryLock(descriptor, path))) {
          // Somebody took us for dead in that instant. Nothing was sent, so the claim is simply given back.
          await unlink(path).catch(() => {}); // One that stays is a claim of the dead.
          closeSync(descriptor);
          return undefined;
        }
        await faultPoint?.("claim/created");
        const bytes = new Uint8Array(HEADER_BYTES + bodyBytes);
        bytes.set(encodeHeader(header));
        if (locks.provesDeath(path)) writeAtOnce(descriptor, bytes, 0);
        else await writeAt(descriptor, bytes, 0);
        await faultPoint?.("claim/unsynced");
        // Neither needs the other, and nothing is sent before both: they wait for the disk together.
        await bothOf(syncDescriptor(descriptor), syncDirectory(directory));
        await faultPoint?.("claim/written");
      } catch (error) {
        closeSync(descriptor);
        await unlink(path).catch(() => {}); // A record that stays counts as claimed by a dead owner.
        throw fileError(error, path);
      }
      return claimedFile({ header, path, descriptor, locks, faultPoint });
    },

    async ownerOf(name) {
      const path = pathOf(name);
      let descriptor: number;
      try {
        descriptor = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
      } catch {
        return "alive"; // Gone or out of reach: nothing proves a death. The caller looks again.
      }
      try {
        if (!(await locks.tryLock(descriptor, path))) return "alive";
        locks.unlock(descriptor);
        return locks.provesDeath(path) ? "dead" : "unproven";
      } finally {
        closeSync(descriptor);
      }
    },

    readBody: (name) =>
      withFile(name, O_RDONLY, async (descriptor) => {
        const length = Math.max(0, fstatSync(descriptor).size - HEADER_BYTES);
        return readAt(descriptor, length, HEADER_BYTES);
      }),

    async writeHeader(name, header) {
      await withFile(name, O_RDWR, async (descriptor) => {
        await writeAt(descriptor, encodeHeader(header), 0);
        await faultPoint?.("records/header-unsynced");
        await syncDescriptor(descriptor);
        await faultPoint?.("records/header-written");
      });
    },

    async wipeBody(name) {
      await withFile(name, O_RDWR, async (descriptor) => {
        const length = Math.max(0, fstatSync(descriptor).size - HEADER_BYTES);
        if ((await readAt(descriptor, 1, HEADER_BYTES)).every((byte) => byte === 0)) return;
        await writeAt(descriptor, new Uint8Array(length), HEADER_BYTES);
        await faultPoint?.("records/wipe-unsynced");
        await syncDescriptor(descriptor);
        await faultPoint?.("records/wiped");
      });
    },

    async remove(name) {
      try {
        await unlink(pathOf(name));
        await faultPoint?.("records/unlinked");
        await syncDirectory(directory);
        await faultPoint?.("records/removed");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(error, pathOf(name));
      }
    },
  };
}

/** Resolves when both have; throws only when neither is at work any more. */
async function bothOf(one: Promise<void>, other: Promise<void>): Promise<void> {
  const ends = await Promise.allSettled([one, other]);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
