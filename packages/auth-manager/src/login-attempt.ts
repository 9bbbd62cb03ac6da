import { randomUUID } from "node:crypto";
import type { AccountCredential } from "./account-credential.ts";
import { AuthManagerError, type AuthManagerErrorCode } from "./errors.ts";
import { waitFor } from "./wait-for.ts";

/** How a login ended. */
export type LoginOutcome =
  | { readonly success: true; readonly planType?: string | undefined }
  | { readonly success: false; readonly code: AuthManagerErrorCode; readonly message: string };

type CancelCode =
  | "ERR_AUTH_MANAGER_LOGIN_CANCELLED"
  | "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED"
  | "ERR_AUTH_MANAGER_LOGIN_TIMEOUT"
  | "ERR_AUTH_MANAGER_CLOSED";

const cancelMessages: Readonly<Record<CancelCode, string>> = {
  ERR_AUTH_MANAGER_LOGIN_CANCELLED: "The login was cancelled.",
  ERR_AUTH_MANAGER_LOGIN_SUPERSEDED: "Another login was started.",
  ERR_AUTH_MANAGER_LOGIN_TIMEOUT: "Nobody completed the login in time.",
  ERR_AUTH_MANAGER_CLOSED: "The account manager was closed.",
};

export interface LoginAttemptOptions {
  /** Given up after this long. */
  readonly timeoutMs: number;
  /** Installs what the login brought. Past this point the login is no longer cancelled. */
  readonly save: (credential: AccountCredential) => Promise<void>;
  /** Takes the work of a cancelled login, to give back what it still brings. */
  readonly abandon: (working: Promise<AccountCredential>) => void;
}

/**
 * One login that waits for a person. It ends once: saved, failed or cancelled. What it brings after its cancellation
 * is given back, never installed.
 */
export class LoginAttempt {
  readonly loginId: string = randomUUID();
  /** Never rejects. */
  readonly completed: Promise<LoginOutcome>;
  /** Resolves when the attempt holds no port and no timer any more; not before `completed`. Never rejects. */
  readonly released: Promise<void>;
  readonly #options: LoginAttemptOptions;
  readonly #controller = new AbortController();
  readonly #completion = Promise.withResolvers<LoginOutcome>();
  readonly #release = Promise.withResolvers<void>();
  #saving = false;

  constructor(options: LoginAttemptOptions) {
    this.#options = options;
    this.completed = this.#completion.promise;
    this.released = this.#release.promise;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** False when it was too late: the login has ended or is being saved. */
  cancel(code: CancelCode = "ERR_AUTH_MANAGER_LOGIN_CANCELLED"): boolean {
    if (this.#saving || this.signal.aborted) return false;
    this.#controller.abort(new AuthManagerError(code, cancelMessages[code]));
    return true;
  }

  /** Does the work of the login. Call once. `work` ends by itself; its signal tells it to end sooner. */
  run(work: (signal: AbortSignal) => Promise<AccountCredential>): void {
    const timer = setTimeout(() => this.cancel("ERR_AUTH_MANAGER_LOGIN_TIMEOUT"), this.#options.timeoutMs);
    this.#finish(work)
      .then(this.#completion.resolve)
      .finally(() => clearTimeout(timer));
  }

  /** Nothing is held any more. */
  done(): void {
    this.#release.resolve();
  }

  async #finish(work: (signal: AbortSignal) => Promise<AccountCredential>): Promise<LoginOutcome> {
    const working = work(this.signal);
    let credential: AccountCredential;
    try {
      credential = await waitFor(working, this.signal);
      // Checked here and not later: from here on the login is being installed.
      this.signal.throwIfAborted();
    } catch (error) {
      if (!this.signal.aborted) return failure(error);
      // A code that was sent is exchanged in the end: nobody wants what it brings any more.
      this.#options.abandon(working);
      return failure(this.signal.reason);
    }
    this.#saving = true;
    try {
      await this.#options.save(credential);
    } catch (error) {
      return failure(error);
    }
    return { success: true, planType: credential.claims?.planType ?? credential.accessClaims?.planType };
  }
}

function failure(error: unknown): LoginOutcome {
  if (error instanceof AuthManagerError) return { success: false, code: error.code, message: error.message };
  // Whatever this was, its text may hold a code or a token.
  return {
    success: false,
    code: "ERR_AUTH_MANAGER_LOGIN_FAILED",
    message: "The login failed for an unexpected reason.",
  };
}
