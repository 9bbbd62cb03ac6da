import type { CredentialStatus } from "@hawser/oauth-store";
import { interruptedMessage, wrongAccountMessage } from "./account-error.ts";
import { type AccountFailure, AccountStatus } from "./account-status.ts";
import type { AccountView } from "./account-view.ts";
import { refusalMessage, refusalReason } from "./classify-refresh-failure.ts";
import type { AuthManagerError, AuthManagerErrorCode } from "./errors.ts";
import type { ExternalAccount } from "./external-account.ts";

/** The status of credentials that somebody else keeps fresh. */
export function externalStatus(external: ExternalAccount): AccountStatus {
  const { handle, planType, email } = external;
  return new AccountStatus({
    method: handle.method,
    token: handle.accessToken,
    email,
    planType,
    accountId: handle.accountId,
    userId: handle.userId,
  });
}

export interface StatusHints {
  /** What a refresh asked for just now came to. */
  readonly refreshError?: AuthManagerError | undefined;
  /** The error value with which the server ended the login. */
  readonly endedBy?: string | undefined;
}

/** The status of what is stored. */
export function storedStatus(stored: CredentialStatus<AccountView>, hints: StatusHints): AccountStatus {
  if (stored.state === "corrupt") {
    return loggedOut({
      code: "ERR_AUTH_MANAGER_STORE",
      permanent: false,
      message: "auth.json cannot be read. A new login replaces it.",
    });
  }
  const view = stored.handle?.view;
  if (stored.state === "absent" || view === undefined || view.method === "none") return loggedOut(undefined);
  if (view.method === "unsupported") {
    return loggedOut({
      code: "ERR_AUTH_MANAGER_UNSUPPORTED_MODE",
      permanent: true,
      message: "auth.json holds a kind of login that is not supported here.",
    });
  }
  const failure = recorded(stored.failure, hints.endedBy) ?? justNow(hints.refreshError);
  return new AccountStatus({
    method: view.method,
    token: failure?.permanent === true ? null : (view.accessToken ?? null),
    expired: stored.expired,
    email: view.email,
    planType: view.planType,
    accountId: view.accountId,
    userId: view.userId,
    failure,
  });
}

function loggedOut(failure: AccountFailure | undefined): AccountStatus {
  return new AccountStatus({ method: null, token: null, failure });
}

/** What the records of all processes say. */
function recorded(
  failure: CredentialStatus<AccountView>["failure"],
  endedBy: string | undefined,
): AccountFailure | undefined {
  if (failure === undefined) return undefined;
  const { code, permanent, retryAtMs } = failure;
  if (code === "ERR_OAUTH_STORE_NOT_WRITABLE") {
    return { code: "ERR_AUTH_MANAGER_STORE", permanent: false, message: unsavedMessage };
  }
  if (!permanent) {
    return { code: "ERR_AUTH_MANAGER_TRANSIENT", permanent, retryAtMs, message: putOffMessage };
  }
  if (code === "ERR_OAUTH_STORE_INTERRUPTED") {
    return { code: "ERR_AUTH_MANAGER_INTERRUPTED", permanent, message: interruptedMessage };
  }
  if (code === "ERR_OAUTH_STORE_WRONG_OWNER") {
    return { code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT", permanent, message: wrongAccountMessage };
  }
  const reason = code === "ERR_OAUTH_STORE_SUPERSEDED" ? "reused" : refusalReason(endedBy);
  return { code: "ERR_AUTH_MANAGER_REFUSED", permanent, reason, message: refusalMessage(reason) };
}

const unsavedMessage = "The login is in use and could not be saved yet; it is tried again.";
const putOffMessage = "The last refresh did not succeed; it will be tried again.";

/** A failure that left no record, such as a lock that was not to be had. */
function justNow(error: AuthManagerError | undefined): AccountFailure | undefined {
  if (error === undefined) return undefined;
  const { code, message, retryAtMs, reason } = error;
  return { code, message, retryAtMs, reason, permanent: endings.has(code) };
}

const endings: ReadonlySet<AuthManagerErrorCode> = new Set<AuthManagerErrorCode>([
  "ERR_AUTH_MANAGER_REFUSED",
  "ERR_AUTH_MANAGER_INTERRUPTED",
  "ERR_AUTH_MANAGER_WRONG_ACCOUNT",
]);
