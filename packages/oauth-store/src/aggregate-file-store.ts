import { rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { JsonObject, JsonValue } from "./credential-kind.ts";
import type { CredentialStore, StoreChange, StoreUpdateOptions } from "./credential-store.ts";
import { syncDirectory } from "./descriptor.ts";
import { CredentialError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText } from "./json-text.ts";
import type { LockProvider } from "./lock-provider.ts";
import { readRegularFile } from "./read-regular-file.ts";
import { ensurePrivateDirectory } from "./safe-path.ts";
import { storeKey } from "./store-key.ts";
import { rehearseFileWrite, sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

export interface AggregateFileStoreOptions {
  /** The file: one JSON object, store key to entry. */
  readonly path: string;
  /** The lock that every program writing this file takes for its whole read-modify-write. */
  readonly lockPath: string;
  /** @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
}

const MAX_DEPTH = 256;

/**
 * All credentials in one file, the way other programs share it. Entries and members it does not know are kept as
 * they are. Reading takes no lock, except to tell a file that is just being written by another program from one
 * that is broken. A broken file is moved aside, under the lock, by a login or logout only.
 */
export function createAggregateFileStore(options: AggregateFileStoreOptions): CredentialStore {
  const { path, lockPath, locks = flockProvider() } = options;

  /** The entries, or why there are none. */
  async function load(): Promise<JsonObject | undefined | "corrupt"> {
    const text = await readRegularFile(path);
    if (text === undefined) return undefined;
    try {
      const parsed = parseJsonText(text, { maxDepth: MAX_DEPTH });
      return isObject(parsed) ? parsed : "corrupt";
    } catch {
      return "corrupt"; // What it was is of no use to anybody, and may quote a secret.
    }
  }

  async function locked<T>(work: () => Promise<T>, timeoutMs = 60_000): Promise<T> {
    const held = await locks.acquire(lockPath, { timeoutMs });
    try {
      return await work();
    } finally {
      held.release();
    }
  }

  async function settledLoad(): Promise<JsonObject | undefined> {
    const first = await load();
    if (first !== "corrupt") return first;
    // A writer that truncates in place shows half a file for a moment; under its lock there is no such moment.
    const second = await locked(load);
    if (second === "corrupt") throw corrupt(path);
    return second;
  }

  return Object.freeze({
    name: "file",

    async read(key: string): Promise<JsonValue | undefined> {
      const entries = await settledLoad();
      const name = entries && nameOf(entries, key);
      return name === undefined ? undefined : entries?.[name];
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
        if (Object.keys(next).length > 0) await writeFileAtomic(path, print(next, path), { faultPoint });
        else if (loaded !== undefined) await removeFile(path);
      }, lockTimeoutMs);
    },

    async rehearse(key: string, entry: JsonValue): Promise<void> {
      ensurePrivateDirectory(dirname(path));
      const entries = (await settledLoad()) ?? {};
      await rehearseFileWrite(path, print(withEntry(entries, nameOf(entries, key) ?? key, entry), path));
    },
  });
}

/** The member that holds this credential: the key itself, or one whose content makes that key. */
function nameOf(entries: JsonObject, key: string): string | undefined {
  if (Object.hasOwn(entries, key)) return key;
  return Object.keys(entries).find((name) => {
    const entry = entries[name];
    if (entry === undefined || !isObject(entry)) return false;
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

function print(entries: JsonObject, path: string): string {
  try {
    return JSON.stringify(entries);
  } catch {
    throw new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", `${path} cannot be written: nested too deeply`);
  }
}

async function moveAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}.corrupt-${Date.now()}`);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function corrupt(path: string): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CORRUPT", `${path} is not a JSON object of credentials`);
}
