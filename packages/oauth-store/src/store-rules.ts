import type { JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreReadOptions,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { CredentialError, type CredentialErrorCode, isCredentialError } from "./errors.ts";
import { isKeyringAbsent } from "./keyring-failure.ts";
import type { OlderCopies } from "./older-copies.ts";
import { removeEntry } from "./remove-entry.ts";
import type { ResolvedPlace, StoreMode, StoreResolutionReason } from "./store-resolution.ts";

/** What the rules choose from, and whom they tell. */
export interface StoreChoice {
  readonly mode: StoreMode;
  readonly file: CredentialStore;
  readonly keyring: CredentialStore | undefined;
  /** What the keyring may still hold of credentials that are in the file. Not there without a keyring. */
  readonly olderCopies: OlderCopies | undefined;
  pin(key: string, place: ResolvedPlace, reason: StoreResolutionReason): void;
  fellBack(key: string, during: "load" | "save", error: CredentialError): void;
  leftOver(key: string, store: string, code: string): void;
}

type Change = (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>;

/**
 * Errors after which the file may be used in the keyring's place: the keyring was asked, and could not. A lock that
 * cannot be had, a package that is not installed, an entry that cannot be read say nothing about the keyring.
 */
const KEYRING_FAILED: ReadonlySet<CredentialErrorCode> = new Set([
  "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
  "ERR_OAUTH_STORE_KEYRING_LOCKED",
  "ERR_OAUTH_STORE_KEYRING_BUSY",
]);
const KEYRING_CANNOT_SAVE: ReadonlySet<CredentialErrorCode> = new Set([
  ...KEYRING_FAILED,
  "ERR_OAUTH_STORE_KEYRING_UNRELIABLE",
  "ERR_OAUTH_STORE_TOO_LARGE",
]);

/** Finds a credential that has no place yet, as far as that can be told without a lock; decides and tells nothing. */
export function lookByRules(
  choice: StoreChoice,
  key: string,
  options: StoreReadOptions,
): Promise<JsonValue | undefined> {
  const quiet = { ...choice, pin: () => {}, fellBack: () => {} };
  return loadByRules(quiet, key, options);
}

/** Finds a credential that has no place yet, and pins where it is. Nothing found pins nothing. */
export async function loadByRules(
  choice: StoreChoice,
  key: string,
  looking?: StoreReadOptions,
): Promise<JsonValue | undefined> {
  const { mode, file, pin } = choice;
  if (mode !== "auto") {
    const entry = await placeOf(choice, mode).read(key, looking);
    if (entry !== undefined) pin(key, mode, "configured_load");
    return entry;
  }
  let failure: CredentialError | undefined;
  try {
    const store = placeOf(choice, "keyring");
    const kept = await (looking ? store.read(key, looking) : readSurely(store, key));
    if (kept !== undefined) {
      pin(key, "keyring", "auto_load_keyring");
      return kept;
    }
  } catch (error) {
    if (!isOneOf(error, KEYRING_FAILED)) throw error;
    failure = error;
    choice.fellBack(key, "load", error);
  }
  let entry: JsonValue | undefined;
  try {
    entry = await file.read(key, looking);
  } catch (error) {
    throw failure ? neither(failure, error) : error;
  }
  if (entry !== undefined) {
    pin(key, "file", failure ? "auto_load_file_keyring_error" : "auto_load_file_keyring_missing");
    return entry;
  }
  // A keyring that is there and does not open or answer may hold a login: "there is none" would be a guess.
  if (failure && !isKeyringAbsent(failure)) throw failure;
  return undefined;
}

/** Saves a credential that has no place yet, and pins where. */
export async function saveByRules(
  choice: StoreChoice,
  key: string,
  change: Change,
  options: StoreUpdateOptions | undefined,
): Promise<void> {
  const { mode, file, pin } = choice;
  const saving = watch(change);
  if (mode !== "auto") {
    await placeOf(choice, mode).update(key, saving.change, options);
    if (saving.written) pin(key, mode, "configured_save");
    if (saving.written && mode === "keyring") await clearFile(choice, key, options);
    return;
  }
  let failure: CredentialError;
  try {
    await placeOf(choice, "keyring").update(key, saving.change, options);
    if (saving.written) {
      pin(key, "keyring", "auto_save_keyring");
      await clearFile(choice, key, options);
    }
    return;
  } catch (error) {
    if (saving.failed || !isOneOf(error, KEYRING_CANNOT_SAVE)) throw error;
    failure = error;
    choice.fellBack(key, "save", error);
  }
  const { known } = saving;
  const inFile = watch(change);
  await file.update(key, inFile.change, options);
  if (!inFile.written) return;
  pin(key, "file", "auto_save_file_keyring_error");
  await choice.olderCopies?.remove(key, { failure, known });
}

/** Saves a credential where it is pinned. */
export async function savePinned(
  choice: StoreChoice,
  place: ResolvedPlace,
  key: string,
  change: Change,
  options: StoreUpdateOptions | undefined,
): Promise<void> {
  const saving = watch(change);
  await placeOf(choice, place).update(key, saving.change, options);
  if (!saving.written) return;
  // A login: a copy in the other store is older now, whoever wrote it.
  const isLogin = options?.quarantine === true;
  if (place === "keyring" && isLogin) return clearFile(choice, key, options);
  const { mode, olderCopies } = choice;
  if (mode !== "auto" || !olderCopies) return;
  if (isLogin || olderCopies.isOwed(key)) await olderCopies.remove(key);
}

/** Removes an older copy from the file, as far as that can be done; a warning says when it cannot. */
async function clearFile(
  { file, leftOver }: StoreChoice,
  key: string,
  { faultPoint }: Pick<StoreUpdateOptions, "faultPoint"> = {},
): Promise<void> {
  try {
    if ((await file.read(key)) === undefined) return;
    await removeEntry(file, key, {
      lockTimeoutMs: 2000,
      faultPoint: faultPoint && ((name) => faultPoint(`leftover/${name}`)),
    });
  } catch (error) {
    leftOver(key, file.name, isCredentialError(error) ? error.code : "unknown");
  }
}

export function placeOf({ keyring, file }: StoreChoice, place: ResolvedPlace): CredentialStore {
  return place === "keyring" && keyring ? keyring : file;
}

interface Saving {
  readonly change: Change;
  readonly written: boolean;
  readonly failed: boolean;
  /** What the change was shown, and what it decided to write. */
  readonly known: readonly JsonValue[];
}

/** Tells what a change came to, and its own failure from the store's. */
function watch(change: Change): Saving {
  const known: JsonValue[] = [];
  const watched = {
    known,
    written: false,
    failed: false,
    async change(current: JsonValue | undefined): Promise<StoreChange> {
      try {
        const decided = await change(current);
        watched.written = typeof decided === "object";
        if (current !== undefined) known.push(current);
        if (typeof decided === "object") known.push(decided.write);
        return decided;
      } catch (error) {
        watched.failed = true;
        throw error;
      }
    },
  };
  return watched;
}

/** What is found without the lock is there; that there is nothing is believed under the lock only. */
async function readSurely(store: CredentialStore, key: string): Promise<JsonValue | undefined> {
  const entry = await store.read(key);
  return entry === undefined && store.readLocked ? store.readLocked(key) : entry;
}

function isOneOf(error: unknown, codes: ReadonlySet<CredentialErrorCode>): error is CredentialError {
  return isCredentialError(error) && codes.has(error.code);
}

function neither(keyring: CredentialError, file: unknown): CredentialError {
  const fileCode = isCredentialError(file) ? file.code : "unknown";
  return new CredentialError(
    "ERR_OAUTH_STORE_UNRESOLVED",
    `neither the keyring (${keyring.code}) nor the file (${fileCode}) could be read`,
    { reason: `${keyring.code} ${fileCode}` },
  );
}
