import type { AccountCredential } from "./account-credential.ts";
import { AuthManagerError } from "./errors.ts";
import { LoginAttempt, type LoginOutcome } from "./login-attempt.ts";

export interface LoginDeskOptions {
  /** Installs a login. */
  readonly install: (credential: AccountCredential) => Promise<void>;
  /** Gives back a login that nobody wants any more. Never throws. */
  readonly discard: (credential: AccountCredential) => Promise<void>;
  /** Told of the end of each login that waited for a person. */
  readonly onEnd: (loginId: string, outcome: LoginOutcome) => void;
}

/** Sees to it that one login waits at a time, and that nobody logs out under one that is being installed. */
export class LoginDesk {
  readonly #options: LoginDeskOptions;
  #attempt: LoginAttempt | undefined;
  /** Ends when every login that was being installed is. Never rejects. */
  #installing: Promise<unknown> = Promise.resolve();
  /** Ends when what cancelled logins still brought is given back. Never rejects. */
  #abandoned: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: LoginDeskOptions) {
    this.#options = options;
  }

  /** Installs a login that needs no person, in the place of one that waits. */
  async install(credential: AccountCredential): Promise<void> {
    this.assertOpen();
    this.supersede();
    await this.#install(credential);
  }

  /** Starts a login that waits for a person. `begin` brings what that person needs and starts the work. */
  async start<T>(
    timeoutMs: number,
    begin: (attempt: LoginAttempt) => Promise<T>,
  ): Promise<{ readonly attempt: LoginAttempt; readonly begun: T }> {
    this.assertOpen();
    const before = this.#attempt;
    const attempt = new LoginAttempt({
      timeoutMs,
      save: (credential) => this.#install(credential),
      abandon: (working) => this.#abandon(working),
    });
    // In place before anything is awaited: of two that start together, the later one stays.
    this.#attempt = attempt;
    before?.cancel("ERR_AUTH_MANAGER_LOGIN_SUPERSEDED");
    try {
      // Both may want the same port.
      await before?.released;
      attempt.signal.throwIfAborted();
      const begun = await begin(attempt);
      attempt.completed.then((outcome) => {
        this.#forget(attempt);
        this.#options.onEnd(attempt.loginId, outcome);
      });
      return { attempt, begun };
    } catch (error) {
      attempt.done();
      this.#forget(attempt);
      throw error;
    }
  }

  /** False when no login of that id waits, or it is too late to cancel it. */
  cancel(loginId: string): boolean {
    return this.#attempt?.loginId === loginId && this.#attempt.cancel();
  }

  /** Cancels the login that waits, since another one takes its place. */
  supersede(): void {
    this.#attempt?.cancel("ERR_AUTH_MANAGER_LOGIN_SUPERSEDED");
  }

  /** Cancels the login that waits, and waits for those past that point. */
  async clear(): Promise<void> {
    this.#attempt?.cancel();
    await this.#installing;
  }

  async settle(): Promise<void> {
    await Promise.all([this.#installing, this.#abandoned]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#attempt?.cancel("ERR_AUTH_MANAGER_CLOSED");
    await this.#attempt?.released;
    await this.settle();
  }

  assertOpen(): void {
    if (!this.#closed) return;
    throw new AuthManagerError("ERR_AUTH_MANAGER_CLOSED", "The account manager was closed.");
  }

  #install(credential: AccountCredential): Promise<void> {
    const installed = this.#options.install(credential);
    this.#installing = Promise.allSettled([this.#installing, installed]);
    return installed;
  }

  #abandon(working: Promise<AccountCredential>): void {
    // A login that brought nothing leaves nothing to give back.
    const given = working.then(
      (credential) => this.#options.discard(credential),
      () => undefined,
    );
    this.#abandoned = Promise.all([this.#abandoned, given]);
  }

  #forget(attempt: LoginAttempt): void {
    if (this.#attempt === attempt) this.#attempt = undefined;
  }
}
