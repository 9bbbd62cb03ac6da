import type { AccountMethod } from "./account-handle.ts";
import type { AuthManagerErrorCode, RefusalReason } from "./errors.ts";

/** Why there is no token, or why it is not being refreshed. */
export interface AccountFailure {
  readonly code: AuthManagerErrorCode;
  /** Only a new login helps. */
  readonly permanent: boolean;
  /** Why the authorization server ended the login. */
  readonly reason?: RefusalReason | undefined;
  /** When a refresh is tried again. Milliseconds since the epoch. */
  readonly retryAtMs?: number | undefined;
  /** One sentence for a person, without a secret. */
  readonly message: string;
}

export interface AccountStatusFields {
  readonly method: AccountMethod | null;
  readonly token: string | null;
  readonly expired?: boolean | undefined;
  readonly email?: string | undefined;
  readonly planType?: string | undefined;
  readonly accountId?: string | undefined;
  readonly userId?: string | undefined;
  readonly failure?: AccountFailure | undefined;
}

/**
 * The login as one answer to every question about it, so that two callers never see two truths. After the
 * authorization server ended the login, `method` stays and `token` is null. Printing it shows no secret.
 */
export class AccountStatus {
  readonly method: AccountMethod | null;
  /** The token's time is over and no refresh has replaced it yet. */
  readonly expired: boolean;
  readonly email: string | undefined;
  readonly planType: string | undefined;
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly failure: AccountFailure | undefined;
  readonly #token: string | null;

  /** @internal Statuses are made by the manager. */
  constructor(fields: AccountStatusFields) {
    this.method = fields.method;
    this.expired = fields.expired ?? false;
    this.email = fields.email;
    this.planType = fields.planType;
    this.accountId = fields.accountId;
    this.userId = fields.userId;
    this.failure = fields.failure;
    this.#token = fields.token;
    Object.freeze(this);
  }

  /** The access token or API key; null when logged out or when the login has ended. */
  get token(): string | null {
    return this.#token;
  }
}
