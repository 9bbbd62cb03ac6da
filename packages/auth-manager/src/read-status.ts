import type { CredentialStatus } from "@hawser/oauth-store";
import { interruptedMessage, wrongAccountMessage } from "./account-error.ts";
import { type AccountFailure, AccountStatus } from "./account-status.ts";
import type { AccountView } from "./account-view.ts";
import { refusalMessage, refusalReason } from "./classify-refresh-failure.ts";
import type { AuthManagerError } from "./errors.ts";
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

/** The status of what is stored. `refreshError` is what a refresh asked for just now came to. */
export function storedStatus(
  stored: CredentialStatus<AccountView>,
  refreshError: AuthManagerError | undefined,
): AccountStatus {
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
  const failure = recorded(stored.failure) ?? justNow(refreshError);
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
function recorded(failure: CredentialStatus<AccountView>["failure"]): AccountFailure | undefined {
  if (failure === undefined) return undefined;
  const { code, permanent, retryAtMs } = failure;
  if (!permanent) {
    return {
      code: "ERR_AUTH_MANAGER_TRANSIENT",
      permanent,
      retryAtMs,
      message: "The last refresh did not succeed; it will be tried again.",
    };
  }
  if (code === "ERR_OAUTH_STORE_INTERRUPTED") {
    return { code: "ERR_AUTH_MANAGER_INTERRUPTED", permanent, message: interruptedMessage };
  }
  if (code === "ERR_OAUTH_STORE_WRONG_OWNER") {
    return { code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT", permanent, message: wrongAccountMessage };
  }
  const reason = code === "ERR_OAUTH_STORE_SUPERSEDED" ? "reused" : refusalReason(code);
  return { code: "ERR_AUTH_MANAGER_REFUSED", permanent, reason, message: refusalMessage(reason) };
}

/** A failure that left no record, such as a lock that was not to be had. */
function justNow(error: AuthManagerError | undefined): AccountFailure | undefined {
  if (error === undefined) return undefined;
  const { code, message, retryAtMs, reason } = error;
  return { code, message, retryAtMs, reason, permanent: code === "ERR_AUTH_MANAGER_REFUSED" };
}
