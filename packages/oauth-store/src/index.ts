export type { CredentialEvent } from "./credential-event.ts";
export type {
  AnswerVerdict,
  CredentialAge,
  CredentialKind,
  JsonObject,
  JsonValue,
  RefreshNeed,
} from "./credential-kind.ts";
export type {
  CredentialHandle,
  CredentialSession,
  CredentialStatus,
  LogoutReport,
  WaitOptions,
} from "./credential-session.ts";
export type { CredentialExplanation, SpendState, SpendSummary } from "./explanation.ts";
export type { RefreshGrant, RefreshGrantAnswer, RefreshGrantInput } from "./refresh-grant.ts";
