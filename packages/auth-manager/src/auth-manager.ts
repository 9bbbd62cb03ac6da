import type { CredentialExplanation, CredentialStore, LockProvider, LogoutReport } from "@hawser/oauth-store";
import type { HeaderList, HttpTransport } from "@hawser/transport";
import type { AccountEndpointOptions } from "./account-endpoints.ts";
import type { AccountHandle } from "./account-handle.ts";
import type { AccountStatus } from "./account-status.ts";
import type { AuthEventListener } from "./auth-event.ts";
import type { BrowserLogin, BrowserLoginOptions } from "./browser-login.ts";
import type { DeviceLogin } from "./device-login.ts";
import type { ExternalRefresher, ExternalTokens } from "./external-account.ts";
import type { BearerSource } from "./with-bearer-recovery.ts";

export interface AuthManagerOptions {
  /** Directory of `auth.json`. */
  readonly home: string;
  /** Directory for locks and refresh records, on a local disk. One per home. @defaultValue `home` */
  readonly stateHome?: string | undefined;
  /**
   * Talks to the authorization server. It must follow no redirect, send nothing twice and open a connection per
   * request: what it carries can be spent once.
   */
  readonly transport: HttpTransport;
  readonly endpoints: AccountEndpointOptions;
  /** The client that logins are issued to. */
  readonly clientId: string;
  /** Header fields that name this process, on refreshes and revocations. @defaultValue none */
  readonly identity?: (() => HeaderList) | undefined;
  /**
   * Ports for the callback of a browser login, in order; 0 is any free one. A server that knows its redirect
   * addresses in advance needs theirs. @defaultValue [0]
   */
  readonly callbackPorts?: readonly number[] | undefined;
  /** Programs that do not take this package's lock write `auth.json` too. @defaultValue false */
  readonly foreignWriters?: boolean | undefined;
  /** @defaultValue `auth.json` in `home` */
  readonly store?: CredentialStore | undefined;
  /** @defaultValue the operating system's file locks */
  readonly locks?: LockProvider | undefined;
  /** Wall clock in milliseconds. @defaultValue Date.now */
  readonly now?: (() => number) | undefined;
  /** In [0, 1), for jitter. @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
  /** For tests: called at each named point of a refresh, and waited for. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

export interface WaitOptions {
  /** The caller's own deadline. Giving up leaves the work running. @defaultValue a wait of 30 s */
  readonly signal?: AbortSignal | undefined;
}

export interface StatusOptions extends WaitOptions {
  /** Refresh first. What it comes to is in the status; nothing is thrown for it. @defaultValue false */
  readonly refresh?: boolean | undefined;
}

/**
 * The account's login, of one process, kept fresh together with every other process that shares its home. Everything
 * it throws is an `AuthManagerError` or the reason of the caller's own signal.
 */
export interface AuthManager extends BearerSource, AsyncDisposable {
  /**
   * What to send; undefined when nobody is logged in. Returns at once while the token is valid. Throws
   * `…_REFUSED`, `…_INTERRUPTED` or `…_TRANSIENT` when it is not and cannot be refreshed.
   */
  auth(options?: WaitOptions): Promise<AccountHandle | undefined>;
  /**
   * Refreshes now, whoever asks how often: callers share one request. Resolves with what to send afterwards, or
   * undefined when nobody is logged in. Does nothing for an API key and for credentials that somebody else keeps
   * fresh. A refresh that fails for now leaves a valid token in use.
   */
  refresh(options?: WaitOptions): Promise<AccountHandle | undefined>;
  /** Another handle than `rejected`, which was answered with 401. Throws `…_NOT_REFRESHABLE` for an API key. */
  recover(rejected: AccountHandle, options?: WaitOptions): Promise<AccountHandle>;
  /** The one answer about the login. Takes no lock, and sends nothing unless `refresh` asks for it. */
  status(options?: StatusOptions): Promise<AccountStatus>;
  /** Why the stored login is as it is, from the records of all processes, without a secret. */
  explain(): Promise<CredentialExplanation>;
  /** Stores an API key. It is not tried out. */
  loginWithApiKey(apiKey: string): Promise<void>;
  /**
   * Starts a login in a browser. One login waits at a time: a waiting one is cancelled. Throws
   * `…_CALLBACK_PORT_BUSY`.
   */
  startBrowserLogin(options?: BrowserLoginOptions): Promise<BrowserLogin>;
  /** Starts a login with a code to type on another device; ends after 15 minutes. A waiting login is cancelled. */
  startDeviceLogin(): Promise<DeviceLogin>;
  /** Cancels the waiting login of that id. False when there is none, or it was too late. */
  cancelLogin(loginId: string): boolean;
  /** Uses credentials that somebody else keeps fresh, before any stored login and in memory only. */
  useExternalTokens(tokens: ExternalTokens, refresher: ExternalRefresher): void;
  /** Forgets every login here at once, removes it from the store, and has it revoked. A waiting login is cancelled. */
  logout(): Promise<LogoutReport>;
  /** Listens to events; returns the way to stop. A listener that throws is not heard again. */
  onEvent(listener: AuthEventListener): () => void;
  /** Resolves when no refresh, save or logout is under way. For a clean shutdown. */
  settle(): Promise<void>;
}
