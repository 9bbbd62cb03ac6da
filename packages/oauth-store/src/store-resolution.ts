/** Which of the stores a credential is in. */
export type ResolvedPlace = "file" | "keyring";

/** `file`, `keyring`: that one and no other. `auto`: the keyring first, else the file. */
export type StoreMode = "file" | "keyring" | "auto";

/** How it came to be that one. */
export type StoreResolutionReason =
  | "auto_load_keyring"
  | "auto_load_file_keyring_missing"
  | "auto_load_file_keyring_error"
  | "auto_save_keyring"
  | "auto_save_file_keyring_error"
  | "configured_load"
  | "configured_save";

/** What became of the question where a credential is. Carries no secret. */
export type StoreResolutionEvent =
  /** From here on this store and no other is used for the credential. */
  | {
      readonly type: "resolved";
      readonly key: string;
      readonly mode: StoreMode;
      readonly keyringBackend: string;
      readonly place: ResolvedPlace;
      readonly reason: StoreResolutionReason;
    }
  /**
   * A warning: the keyring failed, and the file is used in its place. `code` is the keyring's error; each is told once
   * for a credential, and anew after a logout.
   */
  | {
      readonly type: "fallback";
      readonly key: string;
      readonly during: "load" | "save";
      readonly code: string;
      readonly reason?: string | undefined;
    }
  /** A warning: an older copy of the credential could not be removed from `store`. */
  | { readonly type: "leftover"; readonly key: string; readonly store: string; readonly code: string };
