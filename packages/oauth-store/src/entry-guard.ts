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
  readonly #insideGrant = new AsyncLocalStorage<{ over: boolean }>();
  readonly #nesting: Nesting | undefined;
  readonly #closing: AbortSignal;

  constructor(nesting: Nesting | undefined, closing: AbortSignal) {
    this.#nesting = nesting;
    this.#closing = closing;
  }

  /** Runs a grant, from inside which the session is not to be entered. */
  async run<T>(grant: () => Promise<T>): Promise<T> {
    const nesting = this.#nesting;
    // What the grant has started and left behind is not inside it any more when it is over.
    const inside = { over: false };
    try {
      return await this.#insideGrant.run(inside, () =>
        nesting ? nesting.scope.run(nesting.level, grant) : grant(),
      );
    } finally {
      inside.over = true;
    }
  }

  /** Throws inside the session's own grant, which would wait for itself. */
  assertOutside(): void {
    if (this.#insideGrant.getStore()?.over === false) {
      throw new CredentialError(
        "ERR_OAUTH_STORE_REENTERED",
        "a session cannot be used from inside its own refresh grant",
      );
    }
  }

  /** Throws for a caller who must not wait here. */
  enter(): void {
    this.assertOutside();
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
