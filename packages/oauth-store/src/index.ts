export { type AggregateFileStoreOptions, createAggregateFileStore } from "./aggregate-file-store.ts";
export {
  type CredentialSessionOptions,
  createCredentialSession,
} from "./create-credential-session.ts";
export type { CredentialClock } from "./credential-clock.ts";
export type { CredentialEvent } from "./credential-event.ts";
export type {
  AnswerVerdict,
  CredentialAge,
  CredentialKind,
  JsonObject,
  JsonValue,
  RefreshNeed,
} from "./credential-kind.ts";
export {
  type CredentialLevel,
  type CredentialNesting,
  createCredentialNesting,
} from "./credential-nesting.ts";
export type {
  CredentialHandle,
  CredentialSession,
  CredentialStatus,
  LoginOptions,
  LogoutReport,
  WaitOptions,
} from "./credential-session.ts";
export type {
  CredentialStore,
  StoreChange,
  StoreReadOptions,
  StoreRehearsalOptions,
  StoreRemoval,
  StoreUpdateOptions,
} from "./credential-store.ts";
export { createEncryptedFileStore, type EncryptedFileStoreOptions } from "./encrypted-file-store.ts";
export type { EncryptionKeyPlace, KeyringKeyPlace } from "./encryption-key.ts";
export {
  CredentialError,
  type CredentialErrorCode,
  type CredentialErrorOptions,
  type CredentialRetry,
  isCredentialError,
} from "./errors.ts";
export type { CredentialExplanation, SpendState, SpendSummary } from "./explanation.ts";
export { flockProvider } from "./flock-provider.ts";
export type { KeyringEntry, KeyringProvider } from "./keyring-provider.ts";
export { createKeyringStore, type EntryFormat, type KeyringStoreOptions } from "./keyring-store.ts";
export type { HeldLock, LockAcquireOptions, LockProvider } from "./lock-provider.ts";
export { createMemoryStore } from "./memory-store.ts";
export { type NestedEntryFormatOptions, nestedEntryFormat } from "./nested-entry-format.ts";
export { type OAuthCredential, type OAuthView, oauthCredential } from "./oauth-credential.ts";
export {
  observeStoreDrift,
  type StoreDriftObserver,
  type StoreDriftOptions,
  type StoreDriftReport,
} from "./observe-store-drift.ts";
export { readSpendRecords } from "./read-spend-records.ts";
export type { RefreshGrant, RefreshGrantAnswer, RefreshGrantInput } from "./refresh-grant.ts";
export {
  type ResolvedCredentialStore,
  resolveCredentialStore,
  type StoreRecipe,
} from "./resolve-credential-store.ts";
export { createSingleFileStore, type SingleFileStoreOptions } from "./single-file-store.ts";
export { storeKey } from "./store-key.ts";
export type {
  ResolvedPlace,
  StoreMode,
  StoreResolutionEvent,
  StoreResolutionReason,
} from "./store-resolution.ts";
export { systemKeyring } from "./system-keyring.ts";
export { type WriteFileAtomicOptions, writeFileAtomic } from "./write-file-atomic.ts";
