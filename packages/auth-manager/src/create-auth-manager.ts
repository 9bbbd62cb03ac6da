import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  type CredentialExplanation,
  type CredentialHandle,
  type CredentialSession,
  type CredentialStore,
  createCredentialSession,
  createSingleFileStore,
  type LogoutReport,
} from "@hawser/oauth-store";
import { AccountCredential } from "./account-credential.ts";
import { accountEndpoints } from "./account-endpoints.ts";
import { accountError } from "./account-error.ts";
import { AccountHandle } from "./account-handle.ts";
import { accountKind } from "./account-kind.ts";
import { accountRefreshGrant } from "./account-refresh-grant.ts";
import type { AccountStatus } from "./account-status.ts";
import type { AccountView } from "./account-view.ts";
import type { AuthEventListener } from "./auth-event.ts";
import { AuthEvents } from "./auth-events.ts";
import type { AuthManager, AuthManagerOptions, StatusOptions, WaitOptions } from "./auth-manager.ts";
import { type BrowserLogin, type BrowserLoginOptions, runBrowserLogin } from "./browser-login.ts";
import { type DeviceLogin, runDeviceLogin } from "./device-login.ts";
import { AuthManagerError, isAuthManagerError } from "./errors.ts";
import { EventRelay } from "./event-relay.ts";
import { ExternalAccount, type ExternalRefresher, type ExternalTokens } from "./external-account.ts";
import type { LoginContext } from "./login-context.ts";
import { LoginDesk } from "./login-desk.ts";
import { externalStatus, storedStatus } from "./read-status.ts";
import { revokeCredential } from "./revoke-credential.ts";
import { waitFor } from "./wait-for.ts";

const browserTimeoutMs = 10 * 60 * 1000;
const deviceTimeoutMs = 15 * 60 * 1000;

/** Opens the account's login. Nothing is read, locked or sent before it is used. Throws `ERR_AUTH_MANAGER_OPTIONS`. */
export function createAuthManager(options: AuthManagerOptions): AuthManager {
  return new Account(options);
}

class Account implements AuthManager {
  readonly #session: CredentialSession<AccountCredential, AccountView>;
  readonly #desk: LoginDesk;
  readonly #login: LoginContext;
  readonly #callbackPorts: readonly number[];
  readonly #events = new AuthEvents();
  /** One handle per generation, so that asking costs nothing while nothing changes. */
  readonly #handles = new WeakMap<CredentialHandle<AccountView>, AccountHandle>();
  #external: ExternalAccount | undefined;

  constructor(options: AuthManagerOptions) {
    const { home, stateHome = home, transport, clientId, identity = () => [], callbackPorts = [0] } = options;
    const { store, now = Date.now, locks, random, faultPoint, foreignWriters } = options;
    const endpoints = accountEndpoints(options.endpoints);
    const { issuer, tokenUrl, revokeUrl } = endpoints;
    const provenance = { issuer, clientId };
    const revoke = (credential: AccountCredential) =>
      revokeCredential(credential, { transport, revokeUrl, clientId, identity });
    // Nobody waits for this, and a revocation that fails leaves tokens that were never stored.
    const discard = (credential: AccountCredential) => revoke(credential).catch(() => undefined);
    this.#callbackPorts = callbackPorts;
    this.#login = {
      transport,
      endpoints,
      clientId,
      discard,
      now,
      sleep: (ms, signal) => wait(ms, undefined, { signal }),
    };
    this.#session = createCredentialSession({
      kind: accountKind(provenance),
      key: "auth.json",
      store: store ?? accountFile(home, { locks, foreignWriters }),
      home: store === undefined ? stateHome : undefined,
      locks,
      foreignWriters,
      refreshGrant: accountRefreshGrant({ transport, tokenUrl, provenance, identity, now }),
      revoke,
      random,
      clock: { wallMs: now, monotonicMs: () => performance.now() },
      faultPoint,
    });
    const relay = new EventRelay((event) => this.#events.emit(event));
    this.#session.onEvent((event) => relay.hear(event));
    this.#desk = new LoginDesk({
      install: (credential) => ours(async () => void (await this.#session.login(credential))),
      discard,
      onEnd: (loginId, outcome) => {
        const how = outcome.success ? { ...outcome, method: "chatgpt" as const } : outcome;
        this.#events.emit({ type: "loginCompleted", loginId, ...how });
      },
    });
  }

  async auth(options: WaitOptions = {}): Promise<AccountHandle | undefined> {
    if (this.#external !== undefined) return this.#external.handle;
    return this.#have(() => this.#session.ensureFresh(options));
  }

  async refresh(options: WaitOptions = {}): Promise<AccountHandle | undefined> {
    if (this.#external !== undefined) return this.#external.handle;
    const held = this.#session.snapshot() ?? (await ours(() => this.#session.status())).handle;
    // Where there is nothing to refresh, having it is all that can be done.
    if (held?.view.method !== "chatgpt") return this.auth(options);
    return this.#have(() => this.#session.refresh(options));
  }

  async recover(rejected: AccountHandle, options: WaitOptions = {}): Promise<AccountHandle> {
    const origin = AccountHandle.originOf(rejected);
    if (origin.kind === "external") {
      if (this.#external === undefined) throw loginRequired();
      return waitFor(this.#external.recover(rejected), options.signal);
    }
    if (!rejected.replaceable) {
      throw new AuthManagerError("ERR_AUTH_MANAGER_NOT_REFRESHABLE", "An API key has no successor.");
    }
    const recovered = await this.#have(() => this.#session.recover(origin.handle, options));
    if (recovered === undefined) throw loginRequired();
    return recovered;
  }

  async status(options: StatusOptions = {}): Promise<AccountStatus> {
    const { refresh = false, signal } = options;
    if (this.#external !== undefined) return externalStatus(this.#external);
    const refreshError = refresh ? await this.#refreshError(signal) : undefined;
    return ours(async () => {
      const stored = await this.#session.status();
      // Only the records know in which words the server ended a login.
      const ended = stored.failure?.permanent === true ? await this.#session.explain() : undefined;
      const endedBy = ended?.spends.find((spend) => spend.current)?.outcomeCode;
      return storedStatus(stored, { refreshError, endedBy });
    });
  }

  explain(): Promise<CredentialExplanation> {
    return ours(() => this.#session.explain());
  }

  async loginWithApiKey(apiKey: string): Promise<void> {
    this.#assertNoExternal();
    if (!/^[\x21-\x7e]{1,4096}$/.test(apiKey)) {
      throw new AuthManagerError(
        "ERR_AUTH_MANAGER_API_KEY_INVALID",
        "The API key is empty or not printable ASCII.",
      );
    }
    await this.#desk.install(AccountCredential.fromApiKey(apiKey));
    this.#events.emit({ type: "loginCompleted", loginId: null, success: true, method: "apikey" });
  }

  async startBrowserLogin(options: BrowserLoginOptions = {}): Promise<BrowserLogin> {
    this.#assertNoExternal();
    const { timeoutMs = browserTimeoutMs } = options;
    const callbackPorts = this.#callbackPorts;
    const { attempt, begun: authUrl } = await this.#desk.start(timeoutMs, (started) =>
      runBrowserLogin(started, this.#login, { ...options, callbackPorts }),
    );
    const { loginId, completed } = attempt;
    return Object.freeze({ loginId, authUrl, completed, cancel: () => attempt.cancel() });
  }

  async startDeviceLogin(): Promise<DeviceLogin> {
    this.#assertNoExternal();
    const { attempt, begun: userCode } = await this.#desk.start(deviceTimeoutMs, (started) =>
      runDeviceLogin(started, this.#login),
    );
    const { loginId, completed } = attempt;
    const verificationUrl = this.#login.endpoints.deviceVerificationUrl.href;
    return Object.freeze({ loginId, verificationUrl, userCode, completed, cancel: () => attempt.cancel() });
  }

  cancelLogin(loginId: string): boolean {
    return this.#desk.cancel(loginId);
  }

  useExternalTokens(tokens: ExternalTokens, refresher: ExternalRefresher): void {
    this.#desk.assertOpen();
    const external = new ExternalAccount(tokens, refresher);
    this.#external = external;
    this.#desk.supersede();
    const { planType } = external;
    const method = "chatgptAuthTokens";
    this.#events.emit({ type: "loginCompleted", loginId: null, success: true, method, planType });
  }

  async logout(): Promise<LogoutReport> {
    this.#external = undefined;
    await this.#desk.clear();
    try {
      return await ours(() => this.#session.logout());
    } finally {
      this.#events.emit({ type: "loggedOut", elsewhere: false });
    }
  }

  onEvent(listener: AuthEventListener): () => void {
    return this.#events.on(listener);
  }

  async settle(): Promise<void> {
    await this.#desk.settle();
    await Promise.all([this.#session.settle(), this.#external?.settle()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#desk.close();
    await this.settle();
    await this.#session[Symbol.asyncDispose]();
  }

  /** What a refresh asked for just now failed with. Anything but the caller's own abort is part of the status. */
  async #refreshError(signal: AbortSignal | undefined): Promise<AuthManagerError | undefined> {
    try {
      await this.refresh({ signal });
      return undefined;
    } catch (error) {
      if (!isAuthManagerError(error)) throw error;
      return error;
    }
  }

  /** The handle of what the session gives; undefined when nobody is logged in. */
  async #have(ask: () => Promise<CredentialHandle<AccountView>>): Promise<AccountHandle | undefined> {
    try {
      return this.#handle(await ask());
    } catch (error) {
      const meant = accountError(error);
      if (isAuthManagerError(meant) && meant.code === "ERR_AUTH_MANAGER_LOGIN_REQUIRED") return undefined;
      throw meant;
    }
  }

  #handle(held: CredentialHandle<AccountView>): AccountHandle | undefined {
    const known = this.#handles.get(held);
    if (known !== undefined) return known;
    const { method, accessToken, accountId, userId } = held.view;
    if (method === "unsupported") {
      throw new AuthManagerError(
        "ERR_AUTH_MANAGER_UNSUPPORTED_MODE",
        "auth.json holds a kind of login that is not supported here.",
      );
    }
    if (method === "none" || accessToken === undefined) return undefined;
    const { lineage, generation } = held;
    const fields = { method, accessToken, accountId, userId, lineage, generation };
    const handle = new AccountHandle(fields, { kind: "stored", handle: held });
    this.#handles.set(held, handle);
    return handle;
  }

  #assertNoExternal(): void {
    this.#desk.assertOpen();
    if (this.#external === undefined) return;
    throw new AuthManagerError(
      "ERR_AUTH_MANAGER_EXTERNAL_ACTIVE",
      "Credentials that somebody else keeps fresh are in use. Replace them or log out first.",
    );
  }
}

function accountFile(
  home: string,
  { locks, foreignWriters }: Pick<AuthManagerOptions, "locks" | "foreignWriters">,
): CredentialStore {
  // The other program takes these two, in this order, around each of its commits.
  const theirs = ["auth.lock", "auth.json.lock"].map((name) => join(home, name));
  const lockPaths = foreignWriters === true ? theirs : undefined;
  return createSingleFileStore({ path: join(home, "auth.json"), lockPaths, locks });
}

/** Does it, and says what a failure of the store means for the account. */
async function ours<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw accountError(error);
  }
}

function loginRequired(): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_REQUIRED", "Nobody is logged in.");
}
