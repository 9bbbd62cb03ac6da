import { AsyncLocalStorage } from "node:async_hooks";

/** What a credential is for. The grant of one may need a credential further down this list, never one further up. */
export type CredentialLevel = "resource" | "identity-provider" | "account";

const LEVELS: readonly CredentialLevel[] = ["resource", "identity-provider", "account"];

/** Knows inside whose grant we are, among the sessions that were given it. */
export class CredentialNesting {
  readonly #inside = new AsyncLocalStorage<{ readonly level: CredentialLevel; over: boolean }>();

  /** Runs the grant of a credential of this level. */
  async run<T>(level: CredentialLevel, grant: () => Promise<T>): Promise<T> {
    const inside = { level, over: false };
    try {
      return await this.#inside.run(inside, grant);
    } finally {
      inside.over = true;
    }
  }

  /** Whether a credential of this level may be asked for here: its lock comes after those that are held. */
  allows(level: CredentialLevel): boolean {
    const around = this.#inside.getStore();
    return around === undefined || around.over || LEVELS.indexOf(level) > LEVELS.indexOf(around.level);
  }
}

/**
 * For credentials whose refresh needs another credential. Give one to all sessions of a process that can need each
 * other, each with its level: a grant that asks for a credential of its own level or above, which could deadlock
 * with another process, gets `ERR_OAUTH_STORE_REENTERED` at once.
 */
export function createCredentialNesting(): CredentialNesting {
  return new CredentialNesting();
}
