import { type CredentialError, isCredentialError } from "@hawser/oauth-store";
import { refusalMessage, refusalReason } from "./classify-refresh-failure.ts";
import { AuthManagerError } from "./errors.ts";

/** What a failure of the credential store means for the account. Anything else passes as it is. */
export function accountError(error: unknown): unknown {
  return isCredentialError(error) ? translate(error) : error;
}

function translate(error: CredentialError): AuthManagerError {
  const storeCode = error.code;
  switch (storeCode) {
    case "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED":
      return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_REQUIRED", "Nobody is logged in.", { storeCode });
    case "ERR_OAUTH_STORE_REFUSED":
    case "ERR_OAUTH_STORE_SUPERSEDED": {
      const reason = storeCode === "ERR_OAUTH_STORE_SUPERSEDED" ? "reused" : refusalReason(error.reason);
      return new AuthManagerError("ERR_AUTH_MANAGER_REFUSED", refusalMessage(reason), { reason, storeCode });
    }
    case "ERR_OAUTH_STORE_INTERRUPTED":
      return new AuthManagerError("ERR_AUTH_MANAGER_INTERRUPTED", interruptedMessage, {
        reason: refusalReason(error.reason),
        storeCode,
      });
    case "ERR_OAUTH_STORE_REPLACED":
      return new AuthManagerError(
        "ERR_AUTH_MANAGER_ACCOUNT_CHANGED",
        "Somebody logged in to another account.",
        {
          storeCode,
        },
      );
    case "ERR_OAUTH_STORE_WRONG_OWNER":
      return new AuthManagerError("ERR_AUTH_MANAGER_WRONG_ACCOUNT", wrongAccountMessage, { storeCode });
    case "ERR_OAUTH_STORE_TRANSIENT":
    case "ERR_OAUTH_STORE_WAIT_TIMEOUT":
    case "ERR_OAUTH_STORE_HELD_ELSEWHERE":
    case "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED":
      return new AuthManagerError(
        "ERR_AUTH_MANAGER_TRANSIENT",
        "The login could not be refreshed this time.",
        {
          retry: "after",
          retryAtMs: error.retryAtMs,
          storeCode,
        },
      );
    case "ERR_OAUTH_STORE_CLOSED":
      return new AuthManagerError("ERR_AUTH_MANAGER_CLOSED", "The account manager was closed.", {
        storeCode,
      });
    default:
      return new AuthManagerError(
        "ERR_AUTH_MANAGER_STORE",
        `The login could not be kept or read (${storeCode}).`,
        {
          retry: error.retry,
          retryAtMs: error.retryAtMs,
          storeCode,
        },
      );
  }
}

export const interruptedMessage: string =
  "A refresh was sent, its answer never arrived, and the authorization server would not repeat it. Log in again.";
export const wrongAccountMessage: string =
  "The authorization server answered for another account. Log in again.";
