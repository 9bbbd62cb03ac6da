import { AsyncLocalStorage } from "node:async_hooks";
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
  /** `fn` for the identity of now, whenever and by whomever it is called: listeners, queues, pools. */
  bind<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => T;
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
        return storage.run(identity, () => fn.apply(this, args));
      };
    },
  });
}
