import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { canCreateIn } from "./can-create-in.ts";
import type { JsonObject, JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreReadOptions,
  StoreRehearsalOptions,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { syncDirectory } from "./descriptor.ts";
import { entryUnder, withEntry, withoutEntry } from "./entry-name.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { LockProvider } from "./lock-provider.ts";
import { moveAside } from "./move-aside.ts";
import { readUpToLimit, TOO_LARGE } from "./read-regular-file.ts";
import { ensurePrivateDirectory } from "./safe-path.ts";
import { rehearseFileWrite, sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

type FaultPoint = StoreUpdateOptions["faultPoint"];

interface DecodedEntries {
  readonly entries: JsonObject;
  /** Their JSON as it was. */
  readonly text: string;
}

/** How the entries stand in the file. */
interface EntriesCodec {
  /** `"corrupt"` for what cannot be the file; throws `CredentialError` for what may be it and cannot be opened. */
  decode(text: string): DecodedEntries | "corrupt" | Promise<DecodedEntries | "corrupt">;
  /** Throws `CredentialError`. */
  encode(
    entries: JsonObject,
    how: {
      /** The JSON that is there; undefined when there is no file yet. */
      readonly before: string | undefined;
      readonly rehearsal: boolean;
      readonly faultPoint?: FaultPoint;
    },
  ): string | Promise<string>;
  /** Resolves when nothing that `encode` began is under way; the lock is kept until then. */
  settled?(): Promise<void> | undefined;
}

interface EntriesStoreOptions {
  readonly name: string;
  readonly path: string;
  readonly lockPath: string;
  readonly locks: LockProvider;
  readonly codec: EntriesCodec;
}

/**
 * All credentials in one file: every change under the file's lock, the file replaced whole. Reading takes no lock,
 * except to tell a file that is just being written by another program from one that is broken.
 */
export function createEntriesStore(options: EntriesStoreOptions): CredentialStore {
  const { name: storeName, path, lockPath, locks, codec } = options;

  /** The entries, or why there are none. */
  async function load(): Promise<DecodedEntries | undefined | "corrupt"> {
    const text = await readUpToLimit(path);
    if (text === TOO_LARGE) return "corrupt";
    return text === undefined ? undefined : codec.decode(text);
  }

  async function locked<T>(work: () => Promise<T>, timeoutMs = 60_000): Promise<T> {
    const held = await locks.acquire(lockPath, { timeoutMs });
    try {
      return await work();
    } finally {
      const settled = codec.settled?.();
      if (settled) void settled.then(() => held.release());
      else held.release();
    }
  }

  async function settledLoad(timeoutMs?: number): Promise<DecodedEntries | undefined> {
    const first = await load();
    // A writer that truncates in place shows half a file for a moment; under its lock there is no such moment.
    return first === "corrupt" ? lockedLoad(timeoutMs) : first;
  }

  async function lockedLoad(timeoutMs?: number): Promise<DecodedEntries | undefined> {
    const loaded = await locked(load, timeoutMs);
    if (loaded === "corrupt") throw corrupt(path);
    return loaded;
  }

  return Object.freeze({
    name: storeName,

    async read(key: string, { lockTimeoutMs }: StoreReadOptions = {}): Promise<JsonValue | undefined> {
      return entryUnder((await settledLoad(lockTimeoutMs))?.entries, key);
    },

    async readLocked(key: string, { lockTimeoutMs }: StoreReadOptions = {}) {
      try {
        return entryUnder((await lockedLoad(lockTimeoutMs))?.entries, key);
      } catch (error) {
        // Where this user can write nothing, no writer of theirs is about to make the file that is not there.
        if (isNotWritable(error) && !canCreateIn(dirname(path)) && (await load()) === undefined)
          return undefined;
        throw error;
      }
    },

    async update(
      key: string,
      change: (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>,
      { lockTimeoutMs, faultPoint, quarantine = false }: StoreUpdateOptions = {},
    ): Promise<void> {
      ensurePrivateDirectory(dirname(path));
      await locked(async () => {
        await faultPoint?.("store/locked");
        let loaded = await load();
        if (loaded === "corrupt") {
          if (!quarantine) throw corrupt(path);
          await moveAside(path, faultPoint);
          loaded = undefined;
        }
        // First, whatever is decided: a logout that finds no entry takes what a killed login left as well.
        await sweepTemporaryFiles(path, { faultPoint });
        const entries = loaded?.entries ?? {};
        const decided = await change(entryUnder(entries, key));
        if (decided === "keep") return;
        await faultPoint?.("store/decided");
        const next =
          decided === "remove" ? withoutEntry(entries, key) : withEntry(entries, key, decided.write);
        if (Object.keys(next).length > 0) {
          const text = await codec.encode(next, { before: loaded?.text, rehearsal: false, faultPoint });
          await writeFileAtomic(path, text, { faultPoint });
        } else if (loaded !== undefined) await removeFile(path, faultPoint);
        await faultPoint?.("store/changed");
      }, lockTimeoutMs);
    },

    async rehearse(key: string, entry: JsonValue, { faultPoint }: StoreRehearsalOptions = {}): Promise<void> {
      ensurePrivateDirectory(dirname(path));
      const loaded = await settledLoad();
      const next = withEntry(loaded?.entries ?? {}, key, entry);
      const text = await codec.encode(next, { before: loaded?.text, rehearsal: true });
      await rehearseFileWrite(path, text, { faultPoint });
    },
  });
}

async function removeFile(path: string, faultPoint: FaultPoint): Promise<void> {
  try {
    await unlink(path);
    await faultPoint?.("file/removed");
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

function isNotWritable(error: unknown): boolean {
  return error instanceof CredentialError && error.code === "ERR_OAUTH_STORE_NOT_WRITABLE";
}

function corrupt(path: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is not a file of credentials`);
}
