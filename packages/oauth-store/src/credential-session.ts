import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialExplanation } from "./explanation.ts";

/** One frozen value: what to send, and which generation of which login it is. Holds no refresh token. */
export interface CredentialHandle<V> {
  /** What to send, as the kind shows it. */
  readonly view: V;
  /** Names the login: the same through all its refreshes, another after the next login. */
  readonly lineage: string;
  /** Counts the refreshes of that login; 0 is what the login brought. */
  readonly generation: number;
}

/** How long a caller waits for work that all share. */
export interface WaitOptions {
  /**
   * The caller's own deadline: giving up leaves the work running, and throws `signal.reason`.
   * @defaultValue none: after 30 s `ERR_OAUTH_STORE_WAIT_TIMEOUT`
   */
  readonly signal?: AbortSignal | undefined;
}

/** How a credential stands, as far as store and records tell it. */
export interface CredentialStatus<V> {
  /**
   * `absent`: no login. `usable`: it may be sent, or refreshed. `unusable`: it may not be sent, and cannot be
   * refreshed. `corrupt`: what is stored cannot be read.
   */
  readonly state: "absent" | "usable" | "unusable" | "corrupt";
  /** What is stored, or what this process has and could not save; undefined when `absent` or `corrupt`. */
  readonly handle?: CredentialHandle<V> | undefined;
  /** The access token must not be sent; a refresh is needed first. */
  readonly expired: boolean;
  /** Why refreshing has ended or is put off, or that something is not saved. */
  readonly failure?:
    | {
        /** `ERR_OAUTH_STORE_NOT_WRITABLE`: this process has a login or successor that is not saved yet. */
        readonly code: string;
        /** Time does not help: a login does. */
        readonly permanent: boolean;
        /** Nothing is sent before. Wall clock, milliseconds. */
        readonly retryAtMs?: number | undefined;
        /** What the code cannot tell: an error value of the authorization server, a status. */
        readonly reason?: string | undefined;
      }
    | undefined;
}

/** What a logout came to. */
export interface LogoutReport {
  /** Whether anything was removed here. */
  readonly removed: boolean;
  /** Stores that could not be emptied, where others may still find the login; `records`: sealed answers stay. */
  readonly failures: readonly { readonly store: string; readonly code: string }[];
  /** Whether the newest credential known was revoked; undefined when there was none, or no way to. */
  readonly revoked?: boolean | undefined;
}

/** What is kept of a login beside its credential. */
export interface LoginOptions {
  /**
   * Facts that refreshes must hold to: issuer, token endpoint, auth method, resource. Kept beside the store, in clear,
   * and handed to each refresh of this login. @defaultValue none
   */
  readonly pins?: Readonly<Record<string, string>> | undefined;
}

/**
 * One credential, kept alive. Whoever asks, in whatever process, one refresh is sent; everyone else adopts its
 * result. See ARCHITECTURE.md, "The engine".
 *
 * Disposing settles and then closes: what is neither saved nor sealed by then is lost, and only `snapshot`, `status`,
 * `explain` and `settle` still answer; the others are `ERR_OAUTH_STORE_CLOSED`.
 */
export interface CredentialSession<C, V> extends AsyncDisposable {
  /** What this process holds now, without I/O; undefined before the first load and when logged out. */
  snapshot(): CredentialHandle<V> | undefined;
  /**
   * A handle that may be sent. While the token is valid it is returned at once, and refreshed in the background inside
   * its window. Close to its end (the kind's `first`; for `oauthCredential` the last 30 s) a better one is waited for,
   * 5 s at most; when none comes, the valid one is returned, unless the refresh found that the login has ended. The
   * first call reads the store. Throws `CredentialError`, or the reason of the caller's signal.
   */
  ensureFresh(options?: WaitOptions): Promise<CredentialHandle<V>>;
  /**
   * Another handle than `rejected`, which this session does not give out again: adopts what is newer, else refreshes.
   * Throws `CredentialError`; `ERR_OAUTH_STORE_REPLACED` when what is newer belongs to another owner.
   */
  recover(rejected: CredentialHandle<V>, options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** As `recover`, for foreign ways in that know only the token string they sent. One not held now was replaced. */
  recoverBearer(rejected: string, options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** Another handle than the one seen now, though nobody rejected it. Any number of callers, one refresh. */
  refresh(options?: WaitOptions): Promise<CredentialHandle<V>>;
  /**
   * Installs a new login: here at once, then in the store under the credential's lock. It replaces without merging.
   *
   * Resolves also when it could not be saved: `unpersisted` events and `status().failure` say so, it is used and tried
   * again, and it is lost with the process. Saved later, it gives way to a login or logout made since by others.
   */
  login(credential: C, options?: LoginOptions): Promise<CredentialHandle<V>>;
  /**
   * Acts in this process at once; then removes the credential from every backend under the lock, and revokes it.
   * Throws when the lock cannot be had: then only this session has forgotten the login.
   */
  logout(): Promise<LogoutReport>;
  /**
   * Reads the store and the records; takes no lock and sends nothing. Throws `CredentialError` for a store that cannot
   * be read (`ERR_OAUTH_STORE_UNDECRYPTABLE`, a keyring that is locked), but for a corrupt one.
   */
  status(): Promise<CredentialStatus<V>>;
  /** Why the credential is as it is, from the records, without a secret. Throws as `status` does. */
  explain(): Promise<CredentialExplanation>;
  /** Listens to what this session meets; returns the way to stop. A listener that throws is not called again. */
  onEvent(listener: (event: CredentialEvent) => void): () => void;
  /**
   * Resolves when no work of this session is under way and what is unsaved was tried once more; never rejects. For a
   * clean shutdown: `status().failure` then says whether something is unsaved still. A refresh takes 55 s at most, and
   * each lock it has to wait for up to 60 s more.
   */
  settle(): Promise<void>;
}
