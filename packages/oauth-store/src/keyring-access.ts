import type { StoreUpdateOptions } from "./credential-store.ts";
import { CredentialError } from "./errors.ts";
import { keyringFailure } from "./keyring-failure.ts";
import type { KeyringEntry, KeyringProvider } from "./keyring-provider.ts";

type FaultPoint = StoreUpdateOptions["faultPoint"];

/** A keyring with bounded waits and one call at a time. */
export interface KeyringAccess {
  get(account: string, untilMs: number): Promise<string | undefined>;
  /** Writes and reads back. */
  set(account: string, secret: string, untilMs: number, faultPoint?: FaultPoint): Promise<void>;
  /** Removes and looks whether it is gone. */
  remove(account: string, untilMs: number, faultPoint?: FaultPoint): Promise<boolean>;
  /**
   * Resolves when the change of this entry that was begun has settled, also when nobody waits for it any more;
   * undefined when none is under way.
   */
  settled(account: string): Promise<void> | undefined;
}

/**
 * One call at a time, the next only after the one before has settled: a write that was given up may still land, and
 * must not land on top of a later one. `untilMs` is of the monotonic clock; a call whose turn does not come by then
 * is never made.
 */
export function createKeyringAccess(options: {
  readonly service: string;
  readonly keyring: KeyringProvider;
}): KeyringAccess {
  const { service, keyring } = options;
  let tail: Promise<void> = Promise.resolve();
  /** The change that is under way, of which entry; there is one call at a time. */
  let changing: { readonly account: string; readonly running: Promise<void> } | undefined;

  function call<T>(
    account: string,
    untilMs: number,
    work: (entry: KeyringEntry) => Promise<T>,
    kind: "read" | "change",
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let left = false;
    const timer = setTimeout(
      () => {
        left = true;
        reject(busy());
      },
      Math.max(0, untilMs - performance.now()),
    );
    const run = async () => {
      if (left) return;
      try {
        resolve(await work(keyring.entry(service, account)));
      } catch (error) {
        reject(keyringFailure(error));
      } finally {
        clearTimeout(timer);
      }
    };
    const before = tail;
    const turn = before.then(async () => {
      if (left) return;
      const running = run();
      if (kind === "change") changing = { account, running };
      await running;
      changing = undefined;
    });
    tail = turn;
    return promise;
  }

  const get = (account: string, untilMs: number) => call(account, untilMs, (entry) => entry.get(), "read");

  return {
    get,
    async set(account, secret, untilMs, faultPoint) {
      await call(account, untilMs, (entry) => entry.set(secret), "change");
      await faultPoint?.("keyring/set");
      if ((await get(account, untilMs)) !== secret) throw unreliable();
    },
    async remove(account, untilMs, faultPoint) {
      const removed = await call(account, untilMs, (entry) => entry.remove(), "change");
      await faultPoint?.("keyring/removed");
      if ((await get(account, untilMs)) !== undefined) throw unreliable();
      return removed;
    },
    settled: (account) => (changing?.account === account ? changing.running : undefined),
  };
}

function busy(): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_KEYRING_BUSY",
    "the keyring did not answer in time; what was asked of it may still happen",
  );
}

function unreliable(): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_KEYRING_UNRELIABLE",
    "the keyring reported a change, and showed something else when it was read again",
  );
}
