import type { JsonValue } from "./credential-kind.ts";
import type { CredentialStore } from "./credential-store.ts";
import { createMemoryLedger } from "./memory-ledger.ts";
import { createMemoryLock } from "./memory-lock.ts";
import { type LedgerOwner, ledgerOf } from "./own-ledger.ts";
import type { SpendLedger } from "./spend-ledger.ts";

/** Credentials that end with the process. The lock and the records are in the object too; nothing is on disk. */
export function createMemoryStore(): CredentialStore {
  // Text, not objects: nobody can change what is stored through what was read.
  const entries = new Map<string, string>();
  const ledgers = new Map<string, SpendLedger>();
  const lock = createMemoryLock();

  const read = (key: string): JsonValue | undefined => {
    const text = entries.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
  };
  const store: CredentialStore & LedgerOwner = {
    name: "memory",
    read: async (key) => read(key),
    async update(key, change, { lockTimeoutMs = 60_000 } = {}) {
      const held = await lock.acquire({ timeoutMs: lockTimeoutMs });
      try {
        const decided = await change(read(key));
        if (decided === "remove") entries.delete(key);
        else if (decided !== "keep") entries.set(key, JSON.stringify(decided.write));
      } finally {
        held.release();
      }
    },
    async rehearse(_key, entry) {
      JSON.stringify(entry);
    },
    [ledgerOf](key) {
      const existing = ledgers.get(key);
      if (existing) return existing;
      const made = createMemoryLedger();
      ledgers.set(key, made);
      return made;
    },
  };
  return Object.freeze(store);
}
