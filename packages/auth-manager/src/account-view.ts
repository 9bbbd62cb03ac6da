import type { AccountCredential, CredentialMethod } from "./account-credential.ts";

/** What callers may see of the stored login. The access token is behind a getter, so that nothing prints it. */
export class AccountView {
  readonly method: CredentialMethod;
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly email: string | undefined;
  readonly planType: string | undefined;
  readonly #accessToken: string | undefined;

  constructor(credential: AccountCredential) {
    this.method = credential.method;
    this.accountId = credential.accountId;
    this.userId = credential.claims?.userId ?? credential.accessClaims?.userId;
    this.email = credential.claims?.email ?? credential.accessClaims?.email;
    this.planType = credential.claims?.planType ?? credential.accessClaims?.planType;
    this.#accessToken = credential.bearer;
    Object.freeze(this);
  }

  get accessToken(): string | undefined {
    return this.#accessToken;
  }
}
