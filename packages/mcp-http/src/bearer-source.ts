import type { CredentialHandle, WaitOptions } from "@hawser/oauth-store";

/** What a sender may know of a credential. */
export interface BearerView {
  readonly accessToken: string;
}

/** What this package needs of whoever keeps the login: any `CredentialSession` whose view has an access token. */
export interface BearerSource {
  snapshot(): CredentialHandle<BearerView> | undefined;
  ensureFresh(options?: WaitOptions): Promise<CredentialHandle<BearerView>>;
  recover(
    rejected: CredentialHandle<BearerView>,
    options?: WaitOptions,
  ): Promise<CredentialHandle<BearerView>>;
}
