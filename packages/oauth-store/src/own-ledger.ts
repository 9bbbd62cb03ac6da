import type { CredentialStore } from "./credential-store.ts";
import type { SpendLedger } from "./spend-ledger.ts";

/** Where a store keeps lock and records itself, instead of in a home. */
export const ledgerOf: unique symbol = Symbol.for("@hawser/oauth-store/ledger");

export interface LedgerOwner {
  [ledgerOf](key: string): SpendLedger;
}

export function ownLedger(store: CredentialStore, key: string): SpendLedger | undefined {
  return ledgerOf in store ? (store as CredentialStore & LedgerOwner)[ledgerOf](key) : undefined;
}
