/** What happened to a credential. Carries no secret. */
export type CredentialEvent =
  | {
      readonly type: "refreshed" | "adopted" | "restored";
      readonly lineage: string;
      readonly generation: number;
    }
  | { readonly type: "deferred"; readonly code: string; readonly retryAtMs: number }
  | { readonly type: "refused" | "interrupted"; readonly code: string }
  | { readonly type: "unpersisted"; readonly code: string }
  /** The refresh token is too short to seal with: until it is saved, its successor lives in this process only. */
  | { readonly type: "unsealed"; readonly code: string }
  | { readonly type: "persisted"; readonly lineage: string; readonly generation: number }
  | { readonly type: "replaced"; readonly sameOwner: boolean; readonly lineage: string }
  | { readonly type: "loggedIn"; readonly lineage: string }
  | { readonly type: "loggedOut"; readonly elsewhere: boolean };
