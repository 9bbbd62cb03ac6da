import { AsyncLocalStorage } from "node:async_hooks";
import { bindSteps, isGenerator, stepsOf } from "./bind-steps.ts";
import type { ClientIdentity } from "./client-identity.ts";

/** Which identity the running code works for. An app makes one, in its composition, and passes it down. */
export interface IdentityScope {
  /** Stands wherever no client's identity does. */
  readonly process: ClientIdentity;
  /**
   * Runs `fn` for `identity`, and with it everything asynchronous that starts inside. Work that belongs to everybody
   * starts under `scope.process`, whoever came first.
   */
  run<T>(identity: ClientIdentity, fn: () => T): T;
  /** The identity of the innermost `run`, else the process's. */
  current(): ClientIdentity;
  /**
   * `fn` for the identity of now, whenever and by whomever it is called: listeners, queues, pools. If `fn` is a
   * generator, so is every step of what it returns; else a generator works for whoever asks for its next value.
   */
  bind<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => T;
  /** `items`, read for the identity of now, whoever reads them later. */
  bindIterable<T>(items: AsyncIterable<T>): AsyncIterableIterator<T>;
}

/** A scope of its own: two scopes never see each other's identities. */
export function createIdentityScope(process: ClientIdentity): IdentityScope {
  const storage = new AsyncLocalStorage<ClientIdentity>();
  const current = (): ClientIdentity => storage.getStore() ?? process;
  return Object.freeze({
    process,
    current,
    run: <T>(identity: ClientIdentity, fn: () => T): T => storage.run(identity, fn),
    bind: <This, Args extends unknown[], T>(fn: (this: This, ...args: Args) => T) => {
      const identity = current();
      return function bound(this: This, ...args: Args): T {
        const result = storage.run(identity, () => fn.apply(this, args));
        if (isGenerator(result)) bindSteps(result, (step) => storage.run(identity, step));
        return result;
      };
    },
    bindIterable: <T>(items: AsyncIterable<T>) => {
      const identity = current();
      return stepsOf(items, (step) => storage.run(identity, step));
    },
  });
}
