import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialExplanation } from "./explanation.ts";

/** One frozen value: what to send, and which generation of which login it is. Holds no refresh token. */
export interface CredentialHandle<V> {
  readonly view: V;
  readonly lineage: string;
  readonly generation: number;
}

export interface WaitOptions {
  /** The caller's own deadline. Giving up leaves the work running. @defaultValue a wait of 30 s */
  readonly signal?: AbortSignal | undefined;
}

export interface CredentialStatus<V> {
  /** `absent`: no login. `usable`: fresh or refreshable. `unusable`: refused, interrupted or nothing to spend. */
  readonly state: "absent" | "usable" | "unusable" | "corrupt";
  readonly handle?: CredentialHandle<V> | undefined;
  /** The access token must not be sent; a refresh is needed first. */
  readonly expired: boolean;
  /** Why refreshing has ended or is put off. */
  readonly failure?:
    | {
        readonly code: string;
        readonly permanent: boolean;
        readonly retryAtMs?: number | undefined;
        /** What the code cannot tell: an error value of the authorization server, a status. */
        readonly reason?: string | undefined;
      }
    | undefined;
}

export interface LogoutReport {
  /** Whether anything was removed here. */
  readonly removed: boolean;
  /** Backends that could not be emptied. */
  readonly failures: readonly { readonly store: string; readonly code: string }[];
  /** Whether the newest credential known was revoked; undefined when there was none, or no way to. */
  readonly revoked?: boolean | undefined;
}

export interface LoginOptions {
  /** Facts that refreshes must hold to: issuer, token endpoint, auth method, resource. Kept beside the store. */
  readonly pins?: Readonly<Record<string, string>> | undefined;
}

/**
 * One credential, kept alive. Whoever asks, in whatever process, one refresh is sent; everyone else adopts its
 * result. See ARCHITECTURE.md, "The engine".
 */
export interface CredentialSession<C, V> extends AsyncDisposable {
  /** What this process holds now, without I/O; undefined before the first load and when logged out. */
  snapshot(): CredentialHandle<V> | undefined;
  /**
   * A handle that may be sent. Returns at once while the token is valid and refreshes in the background inside
   * its window. Throws `CredentialError`.
   */
  ensureFresh(options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** Another handle than `rejected`: adopts what is newer, else refreshes. Throws `CredentialError`. */
  recover(rejected: CredentialHandle<V>, options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** As `recover`, for foreign ways in that know only the token string they sent. */
  recoverBearer(rejected: string, options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** Another handle than the one seen now, though nobody rejected it. Any number of callers, one refresh. */
  refresh(options?: WaitOptions): Promise<CredentialHandle<V>>;
  /** Installs a new login under the credential's lock. It replaces without merging. */
  login(credential: C, options?: LoginOptions): Promise<CredentialHandle<V>>;
  /** Acts in this process at once; then removes the credential from every backend under the lock. */
  logout(): Promise<LogoutReport>;
  /** Reads the store and the records; takes no lock and sends nothing. */
  status(): Promise<CredentialStatus<V>>;
  /** Why the credential is as it is, from the records, without a secret. */
  explain(): Promise<CredentialExplanation>;
  /** Listens to events; returns the way to stop. A listener that throws is not heard again. */
  onEvent(listener: (event: CredentialEvent) => void): () => void;
  /** Resolves when no work of this session is under way. For a clean shutdown. */
  settle(): Promise<void>;
}
