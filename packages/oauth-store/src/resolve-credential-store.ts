import type { JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreRehearsalOptions,
  StoreRemoval,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { CredentialError, isCredentialError } from "./errors.ts";
import type {
  ResolvedPlace,
  StoreMode,
  StoreResolutionEvent,
  StoreResolutionReason,
} from "./store-resolution.ts";

export interface StoreRecipe {
  /** `auto`: the keyring, and the file where the keyring has no entry or cannot be used. */
  readonly mode: StoreMode;
  readonly file: CredentialStore;
  /** A keyring store, or an encrypted file whose key is in the keyring. Not needed for the mode `file`. */
  readonly keyring?: CredentialStore | undefined;
  /** Other stores a credential may still stand in; a logout empties them too. @defaultValue none */
  readonly alsoRemoveFrom?: readonly CredentialStore[] | undefined;
  /** What kind of keyring it is, for reports. @defaultValue the keyring store's name */
  readonly keyringBackend?: string | undefined;
  readonly onEvent?: ((event: StoreResolutionEvent) => void) | undefined;
}

/** A store that is one of several, decided once. */
export interface ResolvedCredentialStore extends CredentialStore {
  /** Which one holds this credential; undefined before that is decided, and while nothing is stored. */
  resolution(key: string): ResolvedPlace | undefined;
}

/**
 * Errors after which the file may be used in the keyring's place: the keyring was asked, and could not. A lock that
 * cannot be had, a package that is not installed, an entry that cannot be read say nothing about the keyring.
 */
const KEYRING_FAILED: ReadonlySet<string> = new Set([
  "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
  "ERR_OAUTH_STORE_KEYRING_LOCKED",
  "ERR_OAUTH_STORE_KEYRING_BUSY",
]);
const KEYRING_CANNOT_SAVE: ReadonlySet<string> = new Set([
  ...KEYRING_FAILED,
  "ERR_OAUTH_STORE_KEYRING_UNRELIABLE",
  "ERR_OAUTH_STORE_TOO_LARGE",
]);
const KEYRING_OUT_OF_REACH: ReadonlySet<string> = new Set([
  "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
  "ERR_OAUTH_STORE_KEYRING_LOCKED",
]);

/**
 * One store out of a recipe. For each credential the first read that finds it, or the first save, decides which
 * store it is in; from then on it is that one, for as long as this object is used, also when it fails: no error ever
 * moves a credential in mid-life. Make one per lifecycle and rebuild sessions upon it. Nothing is remembered beyond
 * it: see `observeStoreDrift`.
 */
export function resolveCredentialStore(recipe: StoreRecipe): ResolvedCredentialStore {
  const { mode, file, keyring, alsoRemoveFrom = [] } = recipe;
  if (mode !== "file" && !keyring) throw new TypeError(`the mode ${mode} needs a keyring store`);
  const emit = emitterOf(recipe);
  const pins = new Map<string, ResolvedPlace>();
  /** Decisions under way, for those who come meanwhile. */
  const loads = new Map<string, Promise<JsonValue | undefined>>();
  const saves = new Map<string, Promise<void>>();

  const storeOf = (place: ResolvedPlace) => (place === "keyring" && keyring ? keyring : file);
  const pin = (key: string, place: ResolvedPlace, reason: StoreResolutionReason) => {
    pins.set(key, place);
    const keyringBackend = recipe.keyringBackend ?? keyring?.name ?? "none";
    emit({ type: "resolved", key, mode, keyringBackend, place, reason });
  };
  const warn = (key: string, during: "load" | "save", { code, reason }: CredentialError) =>
    emit({ type: "fallback", key, during, code, reason });

  /** The load rules: finds the credential, and pins where. */
  async function load(key: string): Promise<JsonValue | undefined> {
    if (mode !== "auto") {
      const entry = await storeOf(mode).read(key);
      if (entry !== undefined) pin(key, mode, "configured_load");
      return entry;
    }
    let failure: CredentialError | undefined;
    try {
      const kept = await readSurely(storeOf("keyring"), key);
      if (kept !== undefined) {
        pin(key, "keyring", "auto_load_keyring");
        return kept;
      }
    } catch (error) {
      if (!isOneOf(error, KEYRING_FAILED)) throw error;
      failure = error;
      warn(key, "load", error);
    }
    let entry: JsonValue | undefined;
    try {
      entry = await file.read(key);
    } catch (error) {
      throw failure ? neither(failure, error) : error;
    }
    if (entry !== undefined) {
      pin(key, "file", failure ? "auto_load_file_keyring_error" : "auto_load_file_keyring_missing");
      return entry;
    }
    // A keyring that is there and does not open may hold a login: "there is none" would be a guess.
    if (failure && failure.code !== "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE") throw failure;
    return undefined;
  }

  /** The save rules, for a credential that has no place yet. */
  async function save(key: string, change: Change, options: StoreUpdateOptions | undefined): Promise<void> {
    let written = false;
    let changeFailed = false;
    const watched: Change = async (current) => {
      try {
        const decided = await change(current);
        written = typeof decided === "object";
        return decided;
      } catch (error) {
        changeFailed = true;
        throw error;
      }
    };
    if (mode !== "auto") {
      await storeOf(mode).update(key, watched, options);
      if (written) pin(key, mode, "configured_save");
      if (written && mode === "keyring") await clean(file, key);
      return;
    }
    let failure: CredentialError;
    try {
      await storeOf("keyring").update(key, watched, options);
      if (written) {
        pin(key, "keyring", "auto_save_keyring");
        await clean(file, key);
      }
      return;
    } catch (error) {
      if (changeFailed || !isOneOf(error, KEYRING_CANNOT_SAVE)) throw error;
      failure = error;
      warn(key, "save", error);
    }
    written = false;
    await file.update(key, watched, options);
    if (!written) return;
    pin(key, "file", "auto_save_file_keyring_error");
    // What the keyring was told may still land, or an older login be there: nobody is to find it later.
    if (!KEYRING_OUT_OF_REACH.has(failure.code)) void clean(storeOf("keyring"), key);
  }

  /** Removes an older copy, as far as that can be done; a warning says when it cannot. */
  async function clean(store: CredentialStore, key: string): Promise<void> {
    try {
      if (store === file && (await store.read(key)) === undefined) return;
      await removeFrom(store, key, { lockTimeoutMs: store === file ? 2000 : 60_000 });
    } catch (error) {
      emit({ type: "leftover", key, store: store.name, code: codeOf(error) });
    }
  }

  return Object.freeze({
    name: mode,
    resolution: (key: string) => pins.get(key),

    async read(key: string): Promise<JsonValue | undefined> {
      for (let under = saves.get(key); under; under = saves.get(key)) {
        await under.catch(() => {}); // Its caller hears of it; here it only decides the place.
      }
      const place = pins.get(key);
      if (place) return readPinned(storeOf(place), place, key);
      return once(loads, key, () => load(key));
    },

    async update(key: string, change: Change, options?: StoreUpdateOptions): Promise<void> {
      for (let under = pending(loads, saves, key); under; under = pending(loads, saves, key)) {
        await under.catch(() => {}); // As above.
      }
      const place = pins.get(key);
      if (!place) return once(saves, key, () => save(key, change, options));
      await storeOf(place).update(key, change, options);
      // A login: a copy in the file is older now, whoever wrote it.
      if (place === "keyring" && options?.quarantine) await clean(file, key);
    },

    async rehearse(key: string, entry: JsonValue, options?: StoreRehearsalOptions): Promise<void> {
      const place = pins.get(key) ?? (mode === "auto" ? "keyring" : mode);
      await storeOf(place).rehearse(key, entry, options);
    },

    async removeEverywhere(key: string, options: RemovalOptions = {}): Promise<StoreRemoval> {
      for (let under = pending(loads, saves, key); under; under = pending(loads, saves, key)) {
        await under.catch(() => {}); // As above.
      }
      const { lockTimeoutMs = 60_000, quarantine } = options;
      const untilMs = performance.now() + lockTimeoutMs;
      const failures: { store: string; code: string }[] = [];
      let removed = false;
      // The keyring's lock before the file's, and never both.
      for (const store of [...(keyring ? [keyring] : []), ...alsoRemoveFrom, file]) {
        try {
          const leftMs = Math.max(0, untilMs - performance.now());
          if (await removeFrom(store, key, { lockTimeoutMs: leftMs, quarantine })) removed = true;
        } catch (error) {
          const failure = { store: store.name, code: codeOf(error) };
          // Whoever chose the file is not to be told that their logout failed for want of a keyring.
          if (mode === "file" && store !== file) emit({ type: "leftover", key, ...failure });
          else failures.push(failure);
        }
      }
      if (failures.length === 0) pins.delete(key);
      return { removed, failures };
    },
  });
}

type Change = (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>;
type RemovalOptions = Pick<StoreUpdateOptions, "lockTimeoutMs" | "quarantine">;

function emitterOf({ onEvent }: StoreRecipe): (event: StoreResolutionEvent) => void {
  return (event) => {
    try {
      onEvent?.(event);
    } catch {
      // A listener cannot be allowed to decide about a login.
    }
  };
}

/** What is found without the lock is there; that there is nothing is believed under the lock only. */
async function readSurely(store: CredentialStore, key: string): Promise<JsonValue | undefined> {
  const entry = await store.read(key);
  return entry === undefined && store.readLocked ? store.readLocked(key) : entry;
}

async function readPinned(
  store: CredentialStore,
  place: ResolvedPlace,
  key: string,
): Promise<JsonValue | undefined> {
  try {
    return await store.read(key);
  } catch (error) {
    if (place === "file" || !isCredentialError(error)) throw error;
    const { code, retry, retryAtMs, reason } = error;
    throw new CredentialError(
      code,
      `failed to reread the credential from its resolved keyring store, and no other store is used instead: ${error.message}`,
      { retry, retryAtMs, reason },
    );
  }
}

async function removeFrom(store: CredentialStore, key: string, options: RemovalOptions): Promise<boolean> {
  let removed = false;
  const remove: Change = (current) => {
    removed = current !== undefined;
    return removed ? "remove" : "keep";
  };
  await store.update(key, remove, options);
  return removed;
}

/** The work under way for this key, else new work. */
function once<T>(under: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = under.get(key);
  if (running) return running;
  const started = work().finally(() => under.delete(key));
  under.set(key, started);
  return started;
}

function pending(
  loads: ReadonlyMap<string, Promise<unknown>>,
  saves: ReadonlyMap<string, Promise<unknown>>,
  key: string,
): Promise<unknown> | undefined {
  return loads.get(key) ?? saves.get(key);
}

function isOneOf(error: unknown, codes: ReadonlySet<string>): error is CredentialError {
  return isCredentialError(error) && codes.has(error.code);
}

function codeOf(error: unknown): string {
  return isCredentialError(error) ? error.code : "unknown";
}

function neither(keyring: CredentialError, file: unknown): CredentialError {
  const fileCode = codeOf(file);
  return new CredentialError(
    "ERR_OAUTH_STORE_UNRESOLVED",
    `neither the keyring (${keyring.code}) nor the file (${fileCode}) could be read`,
    { reason: `${keyring.code} ${fileCode}` },
  );
}
