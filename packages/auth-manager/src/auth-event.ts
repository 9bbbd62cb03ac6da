import type { AccountMethod } from "./account-handle.ts";
import type { AuthManagerErrorCode, RefusalReason } from "./errors.ts";

/** What happened to the account's login. Carries no secret. */
export type AuthEvent =
  /** A login that this process started has ended, well or not. `loginId` is null when it needed no browser or device. */
  | {
      readonly type: "loginCompleted";
      readonly loginId: string | null;
      readonly success: true;
      readonly method: AccountMethod;
      readonly planType?: string | undefined;
    }
  | {
      readonly type: "loginCompleted";
      readonly loginId: string | null;
      readonly success: false;
      readonly code: AuthManagerErrorCode;
      readonly message: string;
    }
  /** `elsewhere`: another process removed the login. */
  | { readonly type: "loggedOut"; readonly elsewhere: boolean }
  /** Another token of the same login is in use: fetched here, or fetched by somebody else and adopted. */
  | { readonly type: "refreshed" | "adopted"; readonly lineage: string; readonly generation: number }
  /** A refresh did not succeed and is put off. */
  | { readonly type: "deferred"; readonly code: string; readonly retryAtMs: number }
  /** The authorization server ended the login. */
  | {
      readonly type: "refused";
      readonly code: AuthManagerErrorCode;
      readonly reason: RefusalReason;
      readonly message: string;
    }
  /** Somebody else logged in. `sameOwner`: to the same account. */
  | { readonly type: "replaced"; readonly sameOwner: boolean }
  /** A refreshed login could not be saved (yet), or now is. */
  | { readonly type: "unpersisted"; readonly code: string }
  | { readonly type: "persisted" };

export type AuthEventListener = (event: AuthEvent) => void;
