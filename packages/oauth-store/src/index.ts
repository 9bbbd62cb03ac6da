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
  StoreRehearsalOptions,
  StoreRemoval,
  StoreUpdateOptions,
} from "./credential-store.ts";
export {
  CredentialError,
  type CredentialErrorCode,
  type CredentialErrorOptions,
  type CredentialRetry,
  isCredentialError,
} from "./errors.ts";
export type { CredentialExplanation, SpendState, SpendSummary } from "./explanation.ts";
export { flockProvider } from "./flock-provider.ts";
export type { HeldLock, LockAcquireOptions, LockProvider } from "./lock-provider.ts";
export { createMemoryStore } from "./memory-store.ts";
export { type OAuthCredential, type OAuthView, oauthCredential } from "./oauth-credential.ts";
export { readSpendRecords } from "./read-spend-records.ts";
export type { RefreshGrant, RefreshGrantAnswer, RefreshGrantInput } from "./refresh-grant.ts";
export { createSingleFileStore, type SingleFileStoreOptions } from "./single-file-store.ts";
export { storeKey } from "./store-key.ts";
export { type WriteFileAtomicOptions, writeFileAtomic } from "./write-file-atomic.ts";
