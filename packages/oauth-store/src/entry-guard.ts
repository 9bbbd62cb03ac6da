import { AsyncLocalStorage } from "node:async_hooks";
import type { CredentialLevel, CredentialNesting } from "./credential-nesting.ts";
import { CredentialError } from "./errors.ts";

/** Where a credential stands among those whose refresh needs another. */
export interface Nesting {
  readonly scope: CredentialNesting;
  readonly level: CredentialLevel;
}

/** Turns callers away who could only wait for themselves, or for nobody. */
export class EntryGuard {
  readonly #insideGrant = new AsyncLocalStorage<true>();
  readonly #nesting: Nesting | undefined;
  readonly #closing: AbortSignal;

  constructor(nesting: Nesting | undefined, closing: AbortSignal) {
    this.#nesting = nesting;
    this.#closing = closing;
  }

  /** Runs a grant, from inside which the session is not to be entered. */
  run<T>(grant: () => T): T {
    const nesting = this.#nesting;
    return this.#insideGrant.run(true, () => (nesting ? nesting.scope.run(nesting.level, grant) : grant()));
  }

  /** Throws for a caller who must not wait here. */
  enter(): void {
    if (this.#insideGrant.getStore()) {
      throw new CredentialError(
        "ERR_OAUTH_STORE_REENTERED",
        "a session cannot be used from inside its own refresh grant",
      );
    }
    if (this.#nesting && !this.#nesting.scope.allows(this.#nesting.level)) {
      throw new CredentialError(
        "ERR_OAUTH_STORE_REENTERED",
        `a grant cannot wait for a credential of the level ${this.#nesting.level}: locks are taken downwards only`,
      );
    }
    if (this.#closing.aborted) {
      throw new CredentialError("ERR_OAUTH_STORE_CLOSED", "the session was closed");
    }
  }
}
