/** Says which case it is. Documented with what to do in the README; a code never changes its meaning. */
export type AuthManagerErrorCode =
  | "ERR_AUTH_MANAGER_OPTIONS" // an option cannot be used, for example an endpoint that is not https
  | "ERR_AUTH_MANAGER_LOGIN_REQUIRED" // nobody is logged in
  | "ERR_AUTH_MANAGER_REFUSED" // the authorization server ended this login
  | "ERR_AUTH_MANAGER_INTERRUPTED" // an earlier refresh was sent, its answer never arrived, and the next was refused
  | "ERR_AUTH_MANAGER_TRANSIENT" // a refresh is put off or still under way
  | "ERR_AUTH_MANAGER_ACCOUNT_CHANGED" // what can be sent now belongs to another account than the request
  | "ERR_AUTH_MANAGER_WRONG_ACCOUNT" // an answer came back for another account
  | "ERR_AUTH_MANAGER_UNSUPPORTED_MODE" // auth.json holds a kind of login that this package does not speak
  | "ERR_AUTH_MANAGER_STORE" // the store or its lock failed; `storeCode` says how
  | "ERR_AUTH_MANAGER_DEADLINE" // the caller's time was up during a recovery; nothing was sent again
  | "ERR_AUTH_MANAGER_NOT_REFRESHABLE" // this kind of login has nothing to refresh
  | "ERR_AUTH_MANAGER_EXTERNAL_ACTIVE" // somebody else's credentials are installed; log out first
  | "ERR_AUTH_MANAGER_EXTERNAL_INVALID" // credentials handed in cannot be used
  | "ERR_AUTH_MANAGER_EXTERNAL_REFRESH" // whoever handed credentials in did not replace them
  | "ERR_AUTH_MANAGER_API_KEY_INVALID" // empty, or not sendable in a header
  | "ERR_AUTH_MANAGER_LOGIN_CANCELLED"
  | "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED" // another login was started
  | "ERR_AUTH_MANAGER_LOGIN_TIMEOUT"
  | "ERR_AUTH_MANAGER_LOGIN_DENIED" // the authorization server or the user said no
  | "ERR_AUTH_MANAGER_LOGIN_FAILED" // the exchange of the code failed
  | "ERR_AUTH_MANAGER_CALLBACK_PORT_BUSY"
  | "ERR_AUTH_MANAGER_DEVICE_LOGIN_UNAVAILABLE" // the authorization server does not offer it
  | "ERR_AUTH_MANAGER_REVOKE" // logged out here; the authorization server was not told
  | "ERR_AUTH_MANAGER_CLOSED";

export interface AuthManagerErrorOptions {
  /** `never`: the same call fails again. `now`: call again. `after`: call again later. @defaultValue "never" */
  readonly retry?: "never" | "now" | "after" | undefined;
  /** Milliseconds since the epoch. */
  readonly retryAtMs?: number | undefined;
  /** Why the authorization server ended the login. */
  readonly reason?: RefusalReason | undefined;
  /** HTTP status that was answered. */
  readonly status?: number | undefined;
  /** Code of the credential store's own error. */
  readonly storeCode?: string | undefined;
}

/** `reused`: somebody else spent the refresh token first. `other`: the server gave no reason this package knows. */
export type RefusalReason = "expired" | "reused" | "revoked" | "other";

/** The one error of this room. Holds no secret and, since foreign errors may, no cause. */
export class AuthManagerError extends Error {
  override readonly name = "AuthManagerError";
  readonly code: AuthManagerErrorCode;
  readonly retry: "never" | "now" | "after";
  readonly retryAtMs?: number | undefined;
  readonly reason?: RefusalReason | undefined;
  readonly status?: number | undefined;
  readonly storeCode?: string | undefined;

  constructor(code: AuthManagerErrorCode, message: string, options: AuthManagerErrorOptions = {}) {
    super(message);
    this.code = code;
    this.retry = options.retry ?? "never";
    if (options.retryAtMs !== undefined) this.retryAtMs = options.retryAtMs;
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.status !== undefined) this.status = options.status;
    if (options.storeCode !== undefined) this.storeCode = options.storeCode;
  }
}

/** Structural, so that two installed copies of this package understand each other. */
export function isAuthManagerError(error: unknown): error is AuthManagerError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code.startsWith("ERR_AUTH_MANAGER_")
  );
}
