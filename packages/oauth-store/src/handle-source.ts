import type { CredentialHandle } from "./credential-session.ts";
import { type CredentialState, type Installed, isSame } from "./credential-state.ts";
import { type Engine, needOf } from "./engine.ts";
import { CredentialError } from "./errors.ts";
import type { FlightDeck } from "./flight-deck.ts";
import { peek } from "./look.ts";
import { type WaitForOptions, waitFor } from "./wait-for.ts";

type Generation = Pick<CredentialHandle<unknown>, "lineage" | "generation">;

const DEFAULT_WAIT_MS = 30_000;

/** What a caller can be handed, now or after a wait of its own; nothing here belongs to the shared work. */
export class HandleSource<C, V> {
  readonly #engine: Engine<C, V>;
  readonly #state: CredentialState<C, V>;
  readonly #deck: FlightDeck<C, V>;
  #loading: Promise<void> | undefined;

  constructor(engine: Engine<C, V>, deck: FlightDeck<C, V>) {
    this.#engine = engine;
    this.#state = engine.state;
    this.#deck = deck;
  }

  /** The hot path: what may be sent without waiting for anything. */
  ready(): CredentialHandle<V> | undefined {
    const { current } = this.#state;
    if (!current || this.#state.isRejected(current.identity)) return undefined;
    const need = needOf(this.#engine, current);
    if (need === "no") return current.handle;
    if (need !== "soon") return undefined;
    this.#deck.refreshInBackground();
    return current.handle;
  }

  /** What may be sent although something better is wanted. */
  valid(): Installed<C, V> | undefined {
    const { current } = this.#state;
    if (!current || this.#state.isRejected(current.identity)) return undefined;
    return needOf(this.#engine, current) === "now" ? undefined : current;
  }

  /** What this session holds, read from the store, without the lock, if that is nothing yet. */
  async held(signal: AbortSignal | undefined): Promise<Installed<C, V> | undefined> {
    if (!this.#state.current) await waitFor(this.#load(), this.waiting(signal));
    return this.#state.current;
  }

  /** Another handle than the generation that will not do. At most one refresh of our own, or one after another's. */
  async another(
    not: Generation,
    reason: "rejected" | "forced",
    signal: AbortSignal | undefined,
  ): Promise<CredentialHandle<V>> {
    const newer = this.#newerThan(not);
    if (newer) return this.forOwner(not.lineage, newer);
    const sinceMs = this.#engine.clock.monotonicMs();
    const first = await waitFor(this.#deck.join({ reason, not }), this.waiting(signal));
    if (!isSame(first, not)) return this.forOwner(not.lineage, first);
    // We joined a refresh that brought the very generation that was rejected: one more, of our own.
    const waitedMs = this.#engine.clock.monotonicMs() - sinceMs;
    const second = await waitFor(this.#deck.join({ reason, not }), this.waiting(signal, waitedMs));
    if (!isSame(second, not)) return this.forOwner(not.lineage, second);
    throw new CredentialError("ERR_OAUTH_STORE_TRANSIENT", "no other credential could be had", {
      reason: "no-progress",
    });
  }

  /** A caller without a deadline of its own gets 30 s, less what it has waited. */
  waiting(signal: AbortSignal | undefined, waitedMs = 0): WaitForOptions {
    return signal ? { signal } : { timeoutMs: DEFAULT_WAIT_MS - waitedMs, clock: this.#engine.clock };
  }

  /** What we hold, if it is later than `not` and may be sent. */
  #newerThan(not: Generation): CredentialHandle<V> | undefined {
    const { current } = this.#state;
    if (!current || isSame(current.identity, not)) return undefined;
    const isOlder = current.identity.lineage === not.lineage && current.identity.generation < not.generation;
    return isOlder ? undefined : this.valid()?.handle;
  }

  /** An operation prepared for one owner is not handed another's credential. */
  forOwner(lineage: string, handle: CredentialHandle<V>): CredentialHandle<V> {
    const { current } = this.#state;
    if (handle.lineage === lineage) return handle;
    if (current?.identity.lineage === handle.lineage && this.#state.isSameOwner(lineage, current))
      return handle;
    throw new CredentialError(
      "ERR_OAUTH_STORE_REPLACED",
      "another login, not of the same issuer, client and account, has taken this one's place: prepare the operation anew",
    );
  }

  #load(): Promise<void> {
    if (this.#loading) return this.#loading;
    const loading = this.#deck
      .own(async () => {
        const { epoch } = this.#state;
        const stored = await peek(this.#engine);
        // A login, a logout or a flight may have been faster; theirs is the later word.
        if (this.#state.epoch !== epoch || this.#state.current) return;
        if (!stored || this.#state.isDisowned(stored.identity.lineage)) throw notLoggedIn();
        const { credential, identity, marks } = stored;
        const found = this.#state.prepare(credential, identity, marks);
        if (this.#state.hasEnded) this.#state.adopt(this.#engine, found);
        else this.#state.install(found);
      })
      .finally(() => {
        this.#loading = undefined;
      });
    loading.catch(() => {}); // Everybody may have left.
    this.#loading = loading;
    return loading;
  }
}

function notLoggedIn(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "there is no login", {
    reason: "absent",
  });
}
