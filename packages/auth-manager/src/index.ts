export {
  type AccountEndpointOptions,
  type AccountEndpoints,
  accountEndpoints,
} from "./account-endpoints.ts";
export { AccountHandle, type AccountMethod } from "./account-handle.ts";
export { type AccountFailure, AccountStatus } from "./account-status.ts";
export type { AuthEvent, AuthEventListener } from "./auth-event.ts";
export type { AuthManager, AuthManagerOptions, StatusOptions, WaitOptions } from "./auth-manager.ts";
export { accountScopes } from "./authorize-url.ts";
export type { BrowserLogin, BrowserLoginOptions } from "./browser-login.ts";
export { classifyRefreshFailure, type RefreshFailure } from "./classify-refresh-failure.ts";
export { createAuthManager } from "./create-auth-manager.ts";
export type { DeviceLogin } from "./device-login.ts";
export {
  AuthManagerError,
  type AuthManagerErrorCode,
  type AuthManagerErrorOptions,
  isAuthManagerError,
  type RefusalReason,
} from "./errors.ts";
export type { ExternalRefresher, ExternalTokens } from "./external-account.ts";
export type { LoginOutcome } from "./login-attempt.ts";
export { type BearerSource, withBearerRecovery } from "./with-bearer-recovery.ts";
