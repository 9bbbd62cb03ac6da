/** What happened to a credential, told by the session that met it. Carries no secret. */
export type CredentialEvent =
  /** A newer generation: sent for or finished here, found in the store, or brought back after the store went back. */
  | {
      readonly type: "refreshed" | "adopted" | "restored";
      readonly lineage: string;
      readonly generation: number;
    }
  /** A refresh did not work; nobody sends before that time (wall clock, milliseconds). */
  | { readonly type: "deferred"; readonly code: string; readonly retryAtMs: number }
  /** The login has ended; `code` is the server's error value, or `wrong-account`. Told again to each who asks again. */
  | { readonly type: "refused" | "interrupted"; readonly code: string }
  /** A login or successor could not be saved; it is tried again. */
  | { readonly type: "unpersisted"; readonly code: string }
  /** The refresh token is too short to seal with: until it is saved, its successor lives in this process only. */
  | { readonly type: "unsealed"; readonly code: string }
  /** A login is saved, or a successor that could not be saved at first. */
  | { readonly type: "persisted"; readonly lineage: string; readonly generation: number }
  /** Another login is in the place of the one that was held here. */
  | { readonly type: "replaced"; readonly sameOwner: boolean; readonly lineage: string }
  /** A login was made here; it is not saved yet. */
  | { readonly type: "loggedIn"; readonly lineage: string }
  /** `elsewhere`: not by this session; the login was found gone. */
  | { readonly type: "loggedOut"; readonly elsewhere: boolean };
