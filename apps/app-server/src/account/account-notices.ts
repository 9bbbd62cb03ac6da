import type { AccountStatus, AuthManager, LoginOutcome } from "@hawser/auth-manager";
import type { ConnectionRegistry } from "../connections/connection-registry.ts";

export interface AccountNoticesOptions {
  readonly connections: ConnectionRegistry;
  readonly account: AuthManager;
  readonly onFault: (what: string, error: unknown) => void;
}

/** Tells every client what became of logins. */
export class AccountNotices {
  readonly #connections: ConnectionRegistry;
  readonly #account: AuthManager;
  readonly #onFault: (what: string, error: unknown) => void;

  constructor(options: AccountNoticesOptions) {
    const { connections, account, onFault } = options;
    this.#connections = connections;
    this.#account = account;
    this.#onFault = onFault;
    account.onEvent((event) => {
      // What this process did is told after its reply; here is what others did to the shared login.
      if (event.type === "replaced" || (event.type === "loggedOut" && event.elsewhere)) void this.updated();
    });
  }

  /** Success is followed by the new state of the account. */
  async completed(loginId: string | null, outcome: LoginOutcome): Promise<void> {
    const error = outcome.success ? null : failureText(outcome);
    this.#connections.broadcast("account/login/completed", {
      loginId,
      success: outcome.success,
      error,
      onboardingEntrypoint: null,
    });
    if (outcome.success) await this.updated();
  }

  /** Never rejects: there is no caller to tell. */
  async updated(): Promise<void> {
    let status: AccountStatus;
    try {
      status = await this.#account.status();
    } catch (error) {
      this.#onFault("account/updated", error);
      return;
    }
    this.#connections.broadcast("account/updated", {
      authMode: status.method,
      planType: status.method === "apikey" ? null : (status.planType ?? null),
    });
  }
}

function failureText(outcome: Extract<LoginOutcome, { success: false }>): string {
  switch (outcome.code) {
    case "ERR_AUTH_MANAGER_LOGIN_CANCELLED":
      return "Login server error: Login was not completed";
    case "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED":
      return "Login server error: Login cancelled";
    case "ERR_AUTH_MANAGER_LOGIN_TIMEOUT":
      return "Login timed out";
    default:
      return `Login server error: ${outcome.message}`;
  }
}
