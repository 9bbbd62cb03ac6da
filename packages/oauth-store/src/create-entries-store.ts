import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { JsonObject, JsonValue } from "./credential-kind.ts";
import type { CredentialStore, StoreChange, StoreUpdateOptions } from "./credential-store.ts";
import { syncDirectory } from "./descriptor.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { LockProvider } from "./lock-provider.ts";
import { moveAside } from "./move-aside.ts";
import { readRegularFile } from "./read-regular-file.ts";
import { ensurePrivateDirectory } from "./safe-path.ts";
import { storeKey } from "./store-key.ts";
import { rehearseFileWrite, sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

/** How the entries stand in the file. */
interface EntriesCodec {
  /** `"corrupt"` for what cannot be the file; throws `CredentialError` for what may be it and cannot be opened. */
  decode(text: string): JsonObject | "corrupt" | Promise<JsonObject | "corrupt">;
  /** Throws `CredentialError`. `first`: there is no file yet. */
  encode(
    entries: JsonObject,
    how: { readonly first: boolean; readonly rehearsal: boolean },
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
  async function load(): Promise<JsonObject | undefined | "corrupt"> {
    const text = await readRegularFile(path);
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

  async function settledLoad(): Promise<JsonObject | undefined> {
    const first = await load();
    // A writer that truncates in place shows half a file for a moment; under its lock there is no such moment.
    return first === "corrupt" ? lockedLoad() : first;
  }

  async function lockedLoad(timeoutMs?: number): Promise<JsonObject | undefined> {
    const loaded = await locked(load, timeoutMs);
    if (loaded === "corrupt") throw corrupt(path);
    return loaded;
  }

  return Object.freeze({
    name: storeName,

    async read(key: string): Promise<JsonValue | undefined> {
      return entryOf(await settledLoad(), key);
    },

    async readLocked(key: string, { lockTimeoutMs }: { lockTimeoutMs?: number | undefined } = {}) {
      return entryOf(await lockedLoad(lockTimeoutMs), key);
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
          await moveAside(path);
          loaded = undefined;
        }
        const entries = loaded ?? {};
        const name = nameOf(entries, key);
        const decided = await change(name === undefined ? undefined : entries[name]);
        if (decided === "keep") return;
        await sweepTemporaryFiles(path);
        const next = withEntry(entries, name ?? key, decided === "remove" ? undefined : decided.write);
        if (Object.keys(next).length > 0) {
          const text = await codec.encode(next, { first: loaded === undefined, rehearsal: false });
          await writeFileAtomic(path, text, { faultPoint });
        } else if (loaded !== undefined) await removeFile(path);
      }, lockTimeoutMs);
    },

    async rehearse(key: string, entry: JsonValue): Promise<void> {
      ensurePrivateDirectory(dirname(path));
      const loaded = await settledLoad();
      const entries = loaded ?? {};
      const next = withEntry(entries, nameOf(entries, key) ?? key, entry);
      await rehearseFileWrite(
        path,
        await codec.encode(next, { first: loaded === undefined, rehearsal: true }),
      );
    },
  });
}

/** The text of the entries. */
export function printEntries(entries: JsonObject, path: string): string {
  try {
    return JSON.stringify(entries);
  } catch {
    throw new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", `${path} cannot be written: nested too deeply`);
  }
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entryOf(entries: JsonObject | undefined, key: string): JsonValue | undefined {
  const name = entries && nameOf(entries, key);
  return name === undefined ? undefined : entries?.[name];
}

/** The member that holds this credential: the key itself, or one whose content makes that key. */
function nameOf(entries: JsonObject, key: string): string | undefined {
  if (Object.hasOwn(entries, key)) return key;
  return Object.keys(entries).find((name) => {
    const entry = entries[name];
    if (entry === undefined || !isJsonObject(entry)) return false;
    const { server_name: serverName, server_url: serverUrl } = entry;
    return (
      typeof serverName === "string" &&
      typeof serverUrl === "string" &&
      storeKey(serverName, serverUrl) === key
    );
  });
}

/** A copy with one entry changed. Object.fromEntries defines own members, so `__proto__` stays a name. */
function withEntry(entries: JsonObject, name: string, entry: JsonValue | undefined): JsonObject {
  const members = new Map(Object.entries(entries));
  if (entry === undefined) members.delete(name);
  else members.set(name, entry);
  return Object.fromEntries(members);
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

function corrupt(path: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is not a file of credentials`);
}
