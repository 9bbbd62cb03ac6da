import type { JsonValue } from "./credential-kind.ts";
import type {
  CredentialStore,
  StoreChange,
  StoreReadOptions,
  StoreRehearsalOptions,
  StoreRemoval,
  StoreUpdateOptions,
} from "./credential-store.ts";
import { CredentialError, isCredentialError } from "./errors.ts";
import { createOlderCopies } from "./older-copies.ts";
import { removeEntry } from "./remove-entry.ts";
import type { ResolvedPlace, StoreMode, StoreResolutionEvent } from "./store-resolution.ts";
import {
  loadByRules,
  lookByRules,
  placeOf,
  type StoreChoice,
  saveByRules,
  savePinned,
} from "./store-rules.ts";

/** The stores to choose from, and how. */
export interface StoreRecipe {
  /**
   * `auto`: the keyring, and the file where the keyring has no entry or cannot be used. A first save may so put a
   * credential into a plain file; with `keyring` it never does.
   */
  readonly mode: StoreMode;
  /** The store of the mode `file`, and the second of `auto`. */
  readonly file: CredentialStore;
  /** A keyring store, or an encrypted file whose key is in the keyring. Not needed for the mode `file`. */
  readonly keyring?: CredentialStore | undefined;
  /** Other stores a credential may still stand in; a logout empties them too. @defaultValue none */
  readonly alsoRemoveFrom?: readonly CredentialStore[] | undefined;
  /** What kind of keyring it is, for reports. @defaultValue the keyring store's name */
  readonly keyringBackend?: string | undefined;
  /** Told what became of the question where a credential is. @defaultValue nobody is told */
  readonly onEvent?: ((event: StoreResolutionEvent) => void) | undefined;
}

/** A store that is one of several, decided once. */
export interface ResolvedCredentialStore extends CredentialStore {
  /** Which one holds this credential; undefined before that is decided, and while nothing is stored. */
  resolution(key: string): ResolvedPlace | undefined;
}

/**
 * One store out of a recipe. For each credential the first read that finds it, or the first save, decides which
 * store it is in; from then on it is that one, for as long as this object is used, also when it fails: no error ever
 * moves a credential in mid-life. Make one per lifecycle and rebuild sessions upon it. Nothing is remembered beyond
 * it: see `observeStoreDrift`. Throws `TypeError` for a mode that needs a keyring store when there is none.
 */
export function resolveCredentialStore(recipe: StoreRecipe): ResolvedCredentialStore {
  const { mode, file, keyring } = recipe;
  if (mode !== "file" && !keyring) throw new TypeError(`the mode ${mode} needs a keyring store`);
  const others = [...(recipe.alsoRemoveFrom ?? [])];
  const keyringBackend = recipe.keyringBackend ?? keyring?.name ?? "none";
  const emit = emitterOf(recipe.onEvent);
  const pins = new Map<string, ResolvedPlace>();
  /** Failures of the keyring that were told of, by key: whoever asks again and again hears of each once. */
  const told = new Map<string, Set<string>>();
  /** Decisions under way, for those who come meanwhile. */
  const loads = new Map<string, Promise<JsonValue | undefined>>();
  const saves = new Map<string, Promise<void>>();

  const leftOver = (key: string, store: string, code: string) => emit({ type: "leftover", key, store, code });
  const olderCopies = keyring && createOlderCopies({ keyring, leftOver });

  const choice: StoreChoice = {
    mode,
    file,
    keyring,
    olderCopies,
    leftOver,
    pin(key, place, reason) {
      pins.set(key, place);
      emit({ type: "resolved", key, mode, keyringBackend, place, reason });
    },
    fellBack(key, during, { code, reason }) {
      const codes = told.get(key) ?? new Set();
      if (!codes.has(code)) emit({ type: "fallback", key, during, code, reason });
      told.set(key, codes.add(code));
    },
  };

  const underWay = (key: string) => loads.get(key) ?? saves.get(key);

  return Object.freeze({
    name: mode,
    resolution: (key: string) => pins.get(key),

    async read(key: string, options?: StoreReadOptions): Promise<JsonValue | undefined> {
      if (options?.lockTimeoutMs !== undefined) {
        const pinned = pins.get(key);
        if (!pinned) return lookByRules(choice, key, options);
        return readPinned(placeOf(choice, pinned), pinned, key, options);
      }
      // Whoever began it hears how it went; here it only matters that it is over. No await between that and our own.
      for (let saving = saves.get(key); saving; saving = saves.get(key)) await saving.catch(() => {});
      const place = pins.get(key);
      if (place) return readPinned(placeOf(choice, place), place, key);
      return once(loads, key, () => loadByRules(choice, key));
    },

    async update(
      key: string,
      change: (current: JsonValue | undefined) => StoreChange | Promise<StoreChange>,
      options?: StoreUpdateOptions,
    ): Promise<void> {
      for (let other = underWay(key); other; other = underWay(key)) await other.catch(() => {}); // As above.
      const place = pins.get(key);
      if (place) await savePinned(choice, place, key, change, options);
      else await once(saves, key, () => saveByRules(choice, key, change, options));
    },

    async rehearse(key: string, entry: JsonValue, options?: StoreRehearsalOptions): Promise<void> {
      const place = pins.get(key) ?? (mode === "auto" ? "keyring" : mode);
      await placeOf(choice, place).rehearse(key, entry, options);
    },

    async removeEverywhere(
      key: string,
      { lockTimeoutMs = 60_000, quarantine, faultPoint }: StoreUpdateOptions = {},
    ): Promise<StoreRemoval> {
      for (let other = underWay(key); other; other = underWay(key)) await other.catch(() => {}); // As above.
      const untilMs = performance.now() + lockTimeoutMs;
      const failures: { store: string; code: string }[] = [];
      let removed = false;
      // The keyring's lock before the file's, and never both.
      for (const store of [...(keyring ? [keyring] : []), ...others, file]) {
        try {
          const leftMs = Math.max(0, Math.ceil(untilMs - performance.now()));
          if (await removeEntry(store, key, { lockTimeoutMs: leftMs, quarantine, faultPoint }))
            removed = true;
        } catch (error) {
          const code = isCredentialError(error) ? error.code : "unknown";
          // Whoever chose the file is not to be told that their logout failed for want of a keyring.
          if (mode === "file" && store !== file) leftOver(key, store.name, code);
          else failures.push({ store: store.name, code });
        }
      }
      if (failures.length === 0) {
        pins.delete(key);
        told.delete(key);
      }
      return { removed, failures };
    },
  });
}

function emitterOf(onEvent: StoreRecipe["onEvent"]): (event: StoreResolutionEvent) => void {
  return (event) => {
    try {
      onEvent?.(event);
    } catch {
      // A listener cannot be allowed to decide about a login.
    }
  };
}

async function readPinned(
  store: CredentialStore,
  place: ResolvedPlace,
  key: string,
  options?: StoreReadOptions,
): Promise<JsonValue | undefined> {
  try {
    return await store.read(key, options);
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

/** The work under way for this key, else new work. */
function once<T>(under: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = under.get(key);
  if (running) return running;
  const started = work().finally(() => under.delete(key));
  under.set(key, started);
  return started;
}
