import { createHash, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { StoreUpdateOptions } from "./credential-store.ts";
import { CredentialError } from "./errors.ts";
import { createKeyringAccess } from "./keyring-access.ts";
import { keyringLockName } from "./keyring-lock-name.ts";
import type { KeyringProvider } from "./keyring-provider.ts";
import type { LockProvider } from "./lock-provider.ts";
import { readRegularFile } from "./read-regular-file.ts";
import { ensurePrivateDirectory } from "./safe-path.ts";
import { systemKeyring } from "./system-keyring.ts";
import { sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

/** A key in an entry of the keyring. */
export interface KeyringKeyPlace {
  /** The service its entry is kept under. */
  readonly service: string;
  /** The account name of its entry. */
  readonly account: string;
  /** Longest wait for the keyring, an unlock prompt included. @defaultValue 10_000 */
  readonly timeoutMs?: number | undefined;
  /** The keyring itself. @defaultValue systemKeyring() */
  readonly provider?: KeyringProvider | undefined;
}

/** Where the key of an encrypted file is: in the keyring, or in a file when the user says so. */
export type EncryptionKeyPlace = { readonly keyring: KeyringKeyPlace } | { readonly file: string };

/** The key and a name for it that tells nothing. */
export interface EncryptionKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** Reads the key, or makes it; the caller holds the lock of the file that it opens. */
export interface EncryptionKeySource {
  read(): Promise<EncryptionKey | undefined>;
  /** Under a lock of its own: files that share a key are first written with one. */
  create(faultPoint?: FaultPoint): Promise<EncryptionKey>;
  settled(): Promise<void> | undefined;
}

type FaultPoint = StoreUpdateOptions["faultPoint"];

const KEY_BYTES = 32;
const LOCK_TIMEOUT_MS = 10_000;

export function encryptionKeySource(
  place: EncryptionKeyPlace,
  options: {
    readonly locks: LockProvider;
    /** Where a key in the keyring is locked; the same for all files that share it. */
    readonly lockDirectory: string;
  },
): EncryptionKeySource {
  const { locks, lockDirectory } = options;
  const { read, write, settled, lockPath } =
    "file" in place ? inFile(place.file) : inKeyring(place.keyring, lockDirectory);

  async function readKey(): Promise<EncryptionKey | undefined> {
    const text = await read();
    return text === undefined ? undefined : parseKey(text.trim());
  }

  return {
    settled,
    read: readKey,
    async create(faultPoint) {
      const held = await locks.acquire(lockPath, { timeoutMs: LOCK_TIMEOUT_MS });
      try {
        const there = await readKey();
        if (there) return there;
        const text = randomBytes(KEY_BYTES).toString("base64");
        await write(text, (name) => faultPoint?.(`key/${name}`));
        await faultPoint?.("key/written");
        return parseKey(text);
      } finally {
        const landed = settled();
        if (landed) void landed.then(() => held.release());
        else held.release();
      }
    },
  };
}

interface KeyText {
  readonly lockPath: string;
  readonly read: () => Promise<string | undefined>;
  readonly write: (text: string, faultPoint: FaultPoint) => Promise<void>;
  readonly settled: () => Promise<void> | undefined;
}

function inFile(path: string): KeyText {
  return {
    lockPath: `${path}.lock`,
    read: () => readRegularFile(path),
    async write(text, faultPoint) {
      ensurePrivateDirectory(dirname(path));
      await sweepTemporaryFiles(path, { faultPoint });
      await writeFileAtomic(path, `${text}\n`, { faultPoint });
    },
    settled: () => undefined,
  };
}

function inKeyring(place: KeyringKeyPlace, lockDirectory: string): KeyText {
  const { service, account, timeoutMs = 10_000, provider = systemKeyring() } = place;
  const access = createKeyringAccess({ service, keyring: provider });
  const untilMs = () => performance.now() + timeoutMs;
  return {
    lockPath: join(lockDirectory, keyringLockName(service, account)),
    read: () => access.get(account, untilMs()),
    write: (text, faultPoint) => access.set(account, text, untilMs(), faultPoint),
    settled: () => access.settled(account),
  };
}

function parseKey(text: string): EncryptionKey {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== KEY_BYTES) {
    throw new CredentialError("ERR_OAUTH_STORE_UNDECRYPTABLE", "what stands at the key's place is no key", {
      reason: "no-key",
    });
  }
  const id = createHash("sha256").update("hawser oauth-store key id v1\0").update(bytes).digest("hex");
  return { id: id.slice(0, 16), key: createSecretKey(bytes) };
}
