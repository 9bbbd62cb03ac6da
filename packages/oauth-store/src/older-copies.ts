import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "./credential-kind.ts";
import type { CredentialStore } from "./credential-store.ts";
import { isCredentialError } from "./errors.ts";
import { canonicalJson } from "./json-text.ts";
import { isKeyringAbsent } from "./keyring-failure.ts";
import { removeEntry } from "./remove-entry.ts";

/** How a save into the keyring failed before the file was used. */
interface FailedSave {
  readonly failure: unknown;
  /** What was seen there, and what the keyring was told to keep: all that can be there of before. */
  readonly known: readonly JsonValue[];
}

/** Removes from the keyring what is older than a save into the file: a later start would find it first. */
export interface OlderCopies {
  /**
   * After a save into the file. To be awaited while the credential's lock is held: until then nobody else has logged
   * in, and whatever the keyring holds is older.
   */
  remove(key: string, failed?: FailedSave): Promise<void>;
  /** Whether something may be left there that could not be removed, and nobody is at it. */
  isOwed(key: string): boolean;
}

interface Debt {
  readonly known: readonly JsonValue[];
  readonly told: Set<string>;
  /** Somebody is at it, and waits for the keyring. */
  underWay: boolean;
}

const NOTHING_FAILED: FailedSave = { failure: undefined, known: [] };
const LOCK_TIMEOUT_MS = 2000;
const FIRST_PAUSE_MS = 250;
const MOST_TRIES = 10;
const BUSY = "ERR_OAUTH_STORE_KEYRING_BUSY";
const LOCKED = "ERR_OAUTH_STORE_KEYRING_LOCKED";

export function createOlderCopies(options: {
  readonly keyring: CredentialStore;
  leftOver(key: string, store: string, code: string): void;
}): OlderCopies {
  const { keyring, leftOver } = options;
  const debts = new Map<string, Debt>();

  function tell(key: string, debt: Debt, code: string): void {
    if (!debt.told.has(code)) leftOver(key, keyring.name, code);
    debt.told.add(code);
  }

  /** Waits for a keyring that was told something and has not answered: it may do it yet. */
  async function takeBack(key: string, debt: Debt): Promise<void> {
    const isOlder = (current: JsonValue) => debts.get(key) === debt && isOneOf(debt.known, current);
    debt.underWay = true;
    for (let tries = 0; tries < MOST_TRIES && debts.get(key) === debt; tries += 1) {
      try {
        // Nobody holds the credential's lock for this: somebody else's later login is not ours to remove.
        await keyring.update(key, (current) =>
          current !== undefined && isOlder(current) ? "remove" : "keep",
        );
        if (debts.get(key) === debt) debts.delete(key);
      } catch (error) {
        tell(key, debt, codeOf(error));
        await sleep(FIRST_PAUSE_MS * 2 ** tries, undefined, { ref: false });
      }
    }
    debt.underWay = false;
  }

  return {
    isOwed: (key) => debts.get(key)?.underWay === false,

    async remove(key, { failure, known: seen } = NOTHING_FAILED) {
      const before = debts.get(key);
      const known = [...(before?.known ?? []), ...seen];
      const mayLand = known.length > 0;
      if (!mayLand && isAbsent(failure)) return;
      const debt: Debt = { known, told: before?.told ?? new Set(), underWay: false };
      debts.set(key, debt);
      // It has just asked for its password in vain, or is still silent: asking again would only take as long again.
      let code = codeOf(failure);
      if (code !== LOCKED && code !== BUSY) {
        const end = await attempt(keyring, key);
        if (end === "removed" || (!mayLand && isAbsent(end))) return void debts.delete(key);
        code = codeOf(end);
        // One more prompt, unasked for, is enough: the next login brings another.
        if (code === LOCKED && before?.told.has(LOCKED)) debts.delete(key);
      }
      if (code !== BUSY || !mayLand) tell(key, debt, code);
      if (mayLand) void takeBack(key, debt);
    },
  };
}

/** Removes whatever is there, also what cannot be read: a later start would stop at it. */
async function attempt(keyring: CredentialStore, key: string): Promise<unknown> {
  try {
    await removeEntry(keyring, key, { lockTimeoutMs: LOCK_TIMEOUT_MS, quarantine: true });
    return "removed";
  } catch (error) {
    return error;
  }
}

function isOneOf(known: readonly JsonValue[], value: JsonValue): boolean {
  const text = canonicalJson(value);
  return known.some((one) => canonicalJson(one) === text);
}

function isAbsent(error: unknown): boolean {
  return isCredentialError(error) && isKeyringAbsent(error);
}

function codeOf(error: unknown): string {
  return isCredentialError(error) ? error.code : "unknown";
}
