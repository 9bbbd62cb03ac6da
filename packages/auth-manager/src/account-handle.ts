import type { CredentialHandle } from "@hawser/oauth-store";
import type { HeaderList } from "@hawser/transport";
import type { AccountView } from "./account-view.ts";

/** How this process is logged in. `chatgptAuthTokens`: with credentials that somebody else keeps fresh. */
export type AccountMethod = "apikey" | "chatgpt" | "chatgptAuthTokens";

/** Where a handle came from; `recover` goes back there. */
export type HandleOrigin =
  | { readonly kind: "stored"; readonly handle: CredentialHandle<AccountView> }
  | { readonly kind: "external"; readonly generation: number };

export interface AccountHandleFields {
  readonly method: AccountMethod;
  readonly accessToken: string;
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  /** Which login this is; refreshes keep it. */
  readonly lineage: string;
  readonly generation: number;
}

/**
 * One frozen value of what to send and for whom. Bearer and account header always come from the same handle, so a
 * request never carries one account's bearer and another's account id. Printing it shows no secret.
 */
export class AccountHandle {
  readonly method: AccountMethod;
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly lineage: string;
  readonly generation: number;
  readonly #accessToken: string;
  readonly #origin: HandleOrigin;

  /** @internal Handles are made by the manager. */
  constructor(fields: AccountHandleFields, origin: HandleOrigin) {
    this.method = fields.method;
    this.accountId = fields.accountId;
    this.userId = fields.userId;
    this.lineage = fields.lineage;
    this.generation = fields.generation;
    this.#accessToken = fields.accessToken;
    this.#origin = origin;
    Object.freeze(this);
  }

  get accessToken(): string {
    return this.#accessToken;
  }

  /** Whether a 401 can be answered with another token. An API key has no successor. */
  get replaceable(): boolean {
    return this.method !== "apikey";
  }

  /** The header fields that say who pays: the bearer and, where there is one, the account it belongs to. */
  headers(): HeaderList {
    const bearer = ["authorization", `Bearer ${this.#accessToken}`] as const;
    return this.accountId === undefined ? [bearer] : [bearer, [accountHeader, this.accountId]];
  }

  /** Whether a request prepared for this handle may be sent with the other. */
  sameOwner(other: AccountHandle): boolean {
    if (this.method !== other.method) return false;
    if (this.method !== "apikey" && this.lineage === other.lineage) return true;
    if (this.method === "apikey") return this.#accessToken === other.#accessToken;
    return this.accountId !== undefined && this.accountId === other.accountId && this.userId === other.userId;
  }

  /** @internal Where to ask for a successor. */
  static originOf(handle: AccountHandle): HandleOrigin {
    return handle.#origin;
  }
}

export const accountHeader = "chatgpt-account-id";
