import { join } from "node:path";
import type { JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreRehearsalOptions,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { CredentialError } from "./errors.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText, printJsonText } from "./json-text.ts";
import { createKeyringAccess } from "./keyring-access.ts";
import { keyringLockName } from "./keyring-lock-name.ts";
import type { KeyringProvider } from "./keyring-provider.ts";
import type { LockProvider } from "./lock-provider.ts";
import { systemKeyring } from "./system-keyring.ts";

/** How an entry stands in the keyring, where other programs write it in a shape of their own. */
export interface EntryFormat {
  /** The value that is written for an entry. */
  pack(entry: JsonValue): JsonValue;
  /** The entry in a value. Throws for one that is none; that is `ERR_OAUTH_STORE_CORRUPT`. */
  unpack(value: JsonValue): JsonValue;
}

/** Under which names entries are kept, and how: the same for all programs that share them. */
export interface KeyringStoreOptions {
  /** The service all entries are kept under. */
  readonly service: string;
  /** The account name of a credential's entry. @defaultValue the store key */
  readonly account?: ((key: string) => string) | undefined;
  /**
   * Directory of the entries' locks: a keyring has no compare-and-swap, so writers exclude each other there. Must be
   * the same for all who share the entries.
   */
  readonly lockDirectory: string;
  /** What takes those locks. @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
  /** The shape of an entry. @defaultValue the entry as it is, in compact JSON */
  readonly format?: EntryFormat | undefined;
  /** Longest wait for the keyring in one read or update, an unlock prompt included. @defaultValue 10_000 */
  readonly timeoutMs?: number | undefined;
  /** Largest value, in bytes of UTF-16. @defaultValue 2_560 on Windows, elsewhere none */
  readonly maxValueBytes?: number | undefined;
  /** The keyring itself. @defaultValue systemKeyring() */
  readonly keyring?: KeyringProvider | undefined;
}

/** What Credential Manager keeps in one credential. */
const WINDOWS_LIMIT_BYTES = 2560;
const MAX_DEPTH = 64;

/**
 * One credential per entry of the operating system's keyring. Nothing falls back to another store: a keyring that
 * is locked, absent or silent is an error that says so. Every write is read back. An entry that is not a credential is
 * `ERR_OAUTH_STORE_CORRUPT`; a login or logout deletes it.
 */
export function createKeyringStore(options: KeyringStoreOptions): CredentialStore {
  const {
    service,
    account = (key: string) => key,
    lockDirectory,
    locks = flockProvider(),
    format = AS_IT_IS,
    timeoutMs = 10_000,
    maxValueBytes = process.platform === "win32" ? WINDOWS_LIMIT_BYTES : undefined,
    keyring = systemKeyring(),
  } = options;
  const access = createKeyringAccess({ service, keyring });
  const untilMs = () => performance.now() + timeoutMs;

  function lock(key: string, lockTimeoutMs = 60_000) {
    return locks.acquire(join(lockDirectory, keyringLockName(service, account(key))), {
      timeoutMs: lockTimeoutMs,
    });
  }

  async function load(key: string, deadlineMs: number): Promise<Loaded | undefined> {
    const text = await access.get(account(key), deadlineMs);
    if (text === undefined) return undefined;
    try {
      return { entry: format.unpack(parseJsonText(text, { maxDepth: MAX_DEPTH })), text };
    } catch {
      throw corrupt(); // What it was is of no use to anybody, and may quote a secret.
    }
  }

  return Object.freeze({
    name: "keyring",

    async read(key: string): Promise<JsonValue | undefined> {
      return (await load(key, untilMs()))?.entry;
    },

    async update(
      key: string,
      change: (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>,
      { lockTimeoutMs, faultPoint, quarantine = false }: StoreUpdateOptions = {},
    ): Promise<void> {
      const held = await lock(key, lockTimeoutMs);
      try {
        await faultPoint?.("store/locked");
        const deadlineMs = untilMs();
        const current = await load(key, deadlineMs).catch(async (error: unknown) => {
          if (!quarantine || !isCorrupt(error)) throw error;
          // A login or logout: nothing can be made of it, and there is no place beside it to keep it.
          await access.remove(account(key), deadlineMs, faultPoint);
          return undefined;
        });
        const decided = await change(current?.entry);
        if (decided === "keep") return;
        await faultPoint?.("store/decided");
        if (decided === "remove") await access.remove(account(key), deadlineMs, faultPoint);
        else {
          const text = pack(format, decided.write, maxValueBytes, current?.text);
          await access.set(account(key), text, deadlineMs, faultPoint);
        }
        await faultPoint?.("keyring/written");
      } finally {
        // A write that was given up may still land: until it has, nobody writes this entry.
        const settled = access.settled(account(key));
        if (settled) void settled.then(() => held.release());
        else held.release();
      }
    },

    async rehearse(key: string, entry: JsonValue, { paddingBytes = 0 }: StoreRehearsalOptions = {}) {
      const limit = maxValueBytes === undefined ? undefined : maxValueBytes + 2 * paddingBytes;
      pack(format, entry, limit);
      const held = await lock(key, timeoutMs);
      // Read under the lock: no earlier write is still on its way, and the keyring is open.
      try {
        await access.get(account(key), untilMs());
      } finally {
        held.release();
      }
    },
  });
}

interface Loaded {
  readonly entry: JsonValue;
  /** As it is written there. */
  readonly text: string;
}

const AS_IT_IS: EntryFormat = Object.freeze({
  pack: (entry: JsonValue) => entry,
  unpack: (value: JsonValue) => value,
});

function pack(
  format: EntryFormat,
  entry: JsonValue,
  maxValueBytes: number | undefined,
  before?: string,
): string {
  let text: string;
  try {
    text = printJsonText(format.pack(entry), { maxDepth: MAX_DEPTH, before });
  } catch {
    throw new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", "the entry is nested too deeply");
  }
  if (maxValueBytes !== undefined && 2 * text.length > maxValueBytes) {
    throw new CredentialError(
      "ERR_OAUTH_STORE_TOO_LARGE",
      "the credential is larger than what the keyring keeps in one entry; an encrypted file has no such limit",
    );
  }
  return text;
}

function isCorrupt(error: unknown): boolean {
  return error instanceof CredentialError && error.code === "ERR_OAUTH_STORE_CORRUPT";
}

function corrupt(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_CORRUPT", "the keyring's entry is not a credential");
}
