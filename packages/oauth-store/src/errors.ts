/** Which case it is. A code never changes its meaning; the README says what to do about each. */
export type CredentialErrorCode =
  | "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED" // no login, or nothing left to refresh it with
  | "ERR_OAUTH_STORE_REFUSED" // the authorization server ended this login
  | "ERR_OAUTH_STORE_INTERRUPTED" // an earlier answer never arrived, and the server would not repeat it
  | "ERR_OAUTH_STORE_SUPERSEDED" // the store holds a refresh token that was spent, and its successor is gone
  | "ERR_OAUTH_STORE_HELD_ELSEWHERE" // another living process has the successor and could not save it
  | "ERR_OAUTH_STORE_REPLACED" // another login, not of the same owner, has taken this one's place
  | "ERR_OAUTH_STORE_WRONG_OWNER" // the authorization server answered for somebody else
  | "ERR_OAUTH_STORE_TRANSIENT" // refreshing did not work this time
  | "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED" // what a refresh brings is rejected at once
  | "ERR_OAUTH_STORE_WAIT_TIMEOUT" // the default wait ran out; the work goes on
  | "ERR_OAUTH_STORE_LOCK_TIMEOUT" // somebody kept the lock
  | "ERR_OAUTH_STORE_LOCK_UNAVAILABLE" // this machine has no lock to offer
  | "ERR_OAUTH_STORE_REENTERED" // the session was used from inside its own grant
  | "ERR_OAUTH_STORE_CORRUPT" // what is stored cannot be read
  | "ERR_OAUTH_STORE_UNSAFE_FILE" // a link, a foreign owner, or a place others can write to
  | "ERR_OAUTH_STORE_NOT_WRITABLE" // nothing can be saved there
  | "ERR_OAUTH_STORE_UNDECRYPTABLE" // what is stored is there, and the key at hand does not open it
  | "ERR_OAUTH_STORE_UNSUPPORTED" // another program's format, or a newer one of ours
  | "ERR_OAUTH_STORE_KEYRING_MISSING" // the package that speaks to the keyring is not installed
  | "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" // there is no keyring here, or it failed
  | "ERR_OAUTH_STORE_KEYRING_LOCKED" // the keyring is locked, and nobody unlocked it
  | "ERR_OAUTH_STORE_KEYRING_BUSY" // the keyring has not answered yet; what was asked of it may still happen
  | "ERR_OAUTH_STORE_KEYRING_UNRELIABLE" // the keyring did not keep what it said it had written
  | "ERR_OAUTH_STORE_TOO_LARGE" // more than one entry of the keyring holds
  | "ERR_OAUTH_STORE_UNRESOLVED" // neither the keyring nor the file could be read
  | "ERR_OAUTH_STORE_CLOSED"; // the session was disposed

/**
 * Whether asking again can help: `never` without somebody doing something; `after` a while, or at `retryAtMs`. `now`,
 * at once, is for other packages that follow the same contract: no error of this one says it.
 */
export type CredentialRetry = "never" | "now" | "after";

/** What a `CredentialError` says besides code and message. */
export interface CredentialErrorOptions {
  /** What the code cannot tell: an error value of the authorization server, an errno. Never secret text. */
  readonly reason?: string | undefined;
  /** Whether asking again can help. @defaultValue what the code says */
  readonly retry?: CredentialRetry | undefined;
  /** When asking again can help. Wall clock, milliseconds. @defaultValue that is not known */
  readonly retryAtMs?: number | undefined;
}

/**
 * A credential could not be had, kept or changed. It never has a `cause`: errors of the network and of the file
 * system can hold what was sent or stored. A caller who gave up gets the reason of its own signal instead, and options
 * that cannot be used are a `TypeError`.
 */
export class CredentialError extends Error {
  /** Always `"CredentialError"`. */
  override readonly name = "CredentialError";
  /** Which case it is: what to branch on. */
  readonly code: CredentialErrorCode;
  /** Whether asking again can help. */
  readonly retry: CredentialRetry;
  /** When it can, where that is known. Wall clock, milliseconds. */
  readonly retryAtMs: number | undefined;
  /** What the code cannot tell; printable ASCII, 80 characters at most, no secret. */
  readonly reason: string | undefined;

  constructor(code: CredentialErrorCode, message: string, options: CredentialErrorOptions = {}) {
    super(message);
    this.code = code;
    this.retry = options.retry ?? RETRY[code] ?? "never";
    this.retryAtMs = options.retryAtMs;
    this.reason = options.reason === undefined ? undefined : printable(options.reason);
  }
}

/** Whether `value` is a `CredentialError`, also one of another installed copy. */
export function isCredentialError(value: unknown): value is CredentialError {
  return (
    value instanceof Error &&
    "code" in value &&
    typeof value.code === "string" &&
    value.code.startsWith("ERR_OAUTH_STORE_")
  );
}

/** Printable ASCII of text somebody else chose, shortened. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 80);
}

const RETRY: Partial<Record<CredentialErrorCode, CredentialRetry>> = {
  ERR_OAUTH_STORE_TRANSIENT: "after",
  ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED: "after",
  ERR_OAUTH_STORE_HELD_ELSEWHERE: "after",
  ERR_OAUTH_STORE_WAIT_TIMEOUT: "after",
  ERR_OAUTH_STORE_LOCK_TIMEOUT: "after",
  ERR_OAUTH_STORE_NOT_WRITABLE: "after",
  ERR_OAUTH_STORE_KEYRING_UNAVAILABLE: "after",
  ERR_OAUTH_STORE_KEYRING_LOCKED: "after",
  ERR_OAUTH_STORE_KEYRING_BUSY: "after",
  ERR_OAUTH_STORE_UNRESOLVED: "after",
};
