import { AsyncLocalStorage } from "node:async_hooks";
import type { CredentialClock } from "./credential-clock.ts";
import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialKind } from "./credential-kind.ts";
import type { CredentialLevel, CredentialNesting } from "./credential-nesting.ts";
import type {
  CredentialHandle,
  CredentialSession,
  CredentialStatus,
  LoginOptions,
  LogoutReport,
  WaitOptions,
} from "./credential-session.ts";
import { CredentialState, type Installed, isSame } from "./credential-state.ts";
import type { CredentialStore } from "./credential-store.ts";
import { type Engine, needOf, type RefreshGoal } from "./engine.ts";
import { CredentialError, type CredentialErrorCode, isCredentialError } from "./errors.ts";
import { explain } from "./explain.ts";
import type { CredentialExplanation } from "./explanation.ts";
import { bearerHash } from "./fingerprint.ts";
import { FlightDeck } from "./flight-deck.ts";
import { beginLogin } from "./login.ts";
import { logout } from "./logout.ts";
import { peek } from "./look.ts";
import type { RefreshGrant } from "./refresh-grant.ts";
import { saveUnpersisted } from "./save-unpersisted.ts";
import type { SpendOwner } from "./spend-header.ts";
import type { SpendLedger } from "./spend-ledger.ts";
import { statusOf } from "./status.ts";
import { custodyOf } from "./unpersisted.ts";
import { type WaitForOptions, waitFor } from "./wait-for.ts";

export interface OwnedSessionOptions<C, V> {
  readonly kind: CredentialKind<C, V>;
  readonly store: CredentialStore;
  readonly key: string;
  readonly ledger: SpendLedger;
  readonly clock: CredentialClock;
  readonly random: () => number;
  readonly owner: SpendOwner;
  readonly foreignWriters: boolean;
  readonly nesting: { readonly scope: CredentialNesting; readonly level: CredentialLevel } | undefined;
  readonly refreshGrant: RefreshGrant<C>;
  readonly revoke: ((credential: C) => Promise<void>) | undefined;
  readonly faultPoint: ((name: string) => void | Promise<void>) | undefined;
}

const DEFAULT_WAIT_MS = 30_000;
/** A token that is still valid is not waited for longer than this to get a better one. */
const VALID_WAIT_MS = 5000;

const FINAL: ReadonlySet<CredentialErrorCode> = new Set([
  "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
  "ERR_OAUTH_STORE_REFUSED",
  "ERR_OAUTH_STORE_INTERRUPTED",
  "ERR_OAUTH_STORE_SUPERSEDED",
  "ERR_OAUTH_STORE_WRONG_OWNER",
]);

/** The session: callers on one side, owned work on the other. */
export class OwnedSession<C, V> implements CredentialSession<C, V> {
  readonly #engine: Engine<C, V>;
  readonly #state: CredentialState<C, V>;
  readonly #deck: FlightDeck<C, V>;
  readonly #nesting: OwnedSessionOptions<C, V>["nesting"];
  readonly #revoke: ((credential: C) => Promise<void>) | undefined;
  readonly #listeners = new Set<(event: CredentialEvent) => void>();
  readonly #insideGrant = new AsyncLocalStorage<true>();
  readonly #closing = new AbortController();
  #loading: Promise<void> | undefined;

  constructor(options: OwnedSessionOptions<C, V>) {
    const { kind, nesting, refreshGrant, revoke, faultPoint, ...rest } = options;
    this.#state = new CredentialState(kind);
    this.#nesting = nesting;
    this.#revoke = revoke;
    this.#engine = {
      ...rest,
      kind,
      state: this.#state,
      grant: (input) =>
        this.#insideGrant.run(true, () =>
          nesting ? nesting.scope.run(nesting.level, () => refreshGrant(input)) : refreshGrant(input),
        ),
      closing: this.#closing.signal,
      fault: async (name) => faultPoint?.(name),
      emit: (event) => this.#emit(event),
      keepSaving: () => this.#deck.keepSaving(),
    };
    this.#deck = new FlightDeck(this.#engine);
  }

  snapshot(): CredentialHandle<V> | undefined {
    return this.#state.current?.handle;
  }

  async ensureFresh({ signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#enter();
    const ready = this.#ready();
    if (ready) return ready;
    signal?.throwIfAborted();
    if (!this.#state.current) {
      await waitFor(this.#load(), this.#waiting(signal));
      const loaded = this.#ready();
      if (loaded) return loaded;
    }
    const valid = this.#valid();
    try {
      const work = this.#deck.join({ reason: "expiry" });
      return await waitFor(
        work,
        valid ? { signal, timeoutMs: VALID_WAIT_MS, clock: this.#engine.clock } : this.#waiting(signal),
      );
    } catch (error) {
      const still = this.#valid();
      if (still && !endsLogin(error) && !signal?.aborted) return still.handle;
      throw error;
    }
  }

  async recover(rejected: CredentialHandle<V>, { signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#enter();
    const { lineage, generation } = rejected;
    // Noted also for a caller who has given up: it is true.
    this.#state.reject({ lineage, generation }, this.#engine.clock.wallMs());
    signal?.throwIfAborted();
    return this.#another({ lineage, generation }, "rejected", signal);
  }

  async recoverBearer(rejected: string, options: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#enter();
    options.signal?.throwIfAborted();
    if (!this.#state.current) await waitFor(this.#load(), this.#waiting(options.signal));
    const { current } = this.#state;
    const wasOurs = current?.marks.bearerHash === bearerHash(this.#engine.key, rejected);
    // A string that is not the one we hold was replaced already: what we hold is the answer to it.
    return current && wasOurs ? this.recover(current.handle, options) : this.ensureFresh(options);
  }

  async refresh({ signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#enter();
    signal?.throwIfAborted();
    if (!this.#state.current) await waitFor(this.#load(), this.#waiting(signal));
    const { current } = this.#state;
    if (!current) return waitFor(this.#deck.join({ reason: "forced" }), this.#waiting(signal));
    return this.#another(current.identity, "forced", signal);
  }

  async login(credential: C, { pins }: LoginOptions = {}): Promise<CredentialHandle<V>> {
    this.#enter();
    const handle = beginLogin(this.#engine, credential, pins);
    this.#deck.land(handle);
    await this.#deck.own(() => saveUnpersisted(this.#engine));
    return handle;
  }

  async logout(): Promise<LogoutReport> {
    this.#enter();
    const held = this.#state.beginSignOut();
    this.#deck.ground(signedOut());
    return this.#deck.own(() => logout(this.#engine, held, this.#revoke));
  }

  async status(): Promise<CredentialStatus<V>> {
    return statusOf(this.#engine);
  }

  async explain(): Promise<CredentialExplanation> {
    return explain(this.#engine);
  }

  onEvent(listener: (event: CredentialEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  settle(): Promise<void> {
    return this.#deck.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await this.#deck.settle();
    this.#closing.abort();
    this.#deck.close();
    const { unpersisted } = this.#state;
    // Nobody saves it any more: a record that stayed locked would only stop everybody else.
    if (unpersisted) custodyOf(unpersisted)?.close();
  }

  /** Another handle than the generation that will not do. At most one refresh of our own, or one after another's. */
  async #another(
    not: { readonly lineage: string; readonly generation: number },
    reason: "rejected" | "forced",
    signal: AbortSignal | undefined,
  ): Promise<CredentialHandle<V>> {
    const goal: RefreshGoal = { reason, not };
    const newer = this.#newerThan(not);
    if (newer) return this.#forOwner(not.lineage, newer);
    const sinceMs = this.#engine.clock.monotonicMs();
    const first = await waitFor(this.#deck.join(goal), this.#waiting(signal));
    if (!isSame(first, not)) return this.#forOwner(not.lineage, first);
    // We joined a refresh that brought the very generation that was rejected: one more, of our own.
    const second = await waitFor(
      this.#deck.join(goal),
      this.#waiting(signal, this.#engine.clock.monotonicMs() - sinceMs),
    );
    if (!isSame(second, not)) return this.#forOwner(not.lineage, second);
    throw new CredentialError("ERR_OAUTH_STORE_TRANSIENT", "no other credential could be had", {
      reason: "no-progress",
    });
  }

  /** What we hold, if it is later than `not` and may be sent. */
  #newerThan(not: {
    readonly lineage: string;
    readonly generation: number;
  }): CredentialHandle<V> | undefined {
    const { current } = this.#state;
    if (!current || isSame(current.identity, not)) return undefined;
    const isOlder = current.identity.lineage === not.lineage && current.identity.generation < not.generation;
    return isOlder ? undefined : this.#valid()?.handle;
  }

  /** An operation prepared for one owner is not handed another's credential. */
  #forOwner(lineage: string, handle: CredentialHandle<V>): CredentialHandle<V> {
    const { current } = this.#state;
    if (handle.lineage === lineage) return handle;
    if (current?.identity.lineage === handle.lineage && this.#state.isSameOwner(lineage, current))
      return handle;
    throw new CredentialError(
      "ERR_OAUTH_STORE_REPLACED",
      "another login, not of the same issuer, client and account, has taken this one's place: prepare the operation anew",
    );
  }

  /** The hot path: what may be sent without waiting for anything. */
  #ready(): CredentialHandle<V> | undefined {
    const { current } = this.#state;
    if (!current || this.#state.isRejected(current.identity)) return undefined;
    const need = needOf(this.#engine, current);
    if (need === "no") return current.handle;
    if (need !== "soon") return undefined;
    this.#deck.refreshInBackground();
    return current.handle;
  }

  /** What may be sent although something better is wanted. */
  #valid(): Installed<C, V> | undefined {
    const { current } = this.#state;
    if (!current || this.#state.isRejected(current.identity)) return undefined;
    return needOf(this.#engine, current) === "now" ? undefined : current;
  }

  /** Reads the store, without the lock, into an empty session. */
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
        this.#state.install(this.#state.prepare(credential, identity, marks));
      })
      .finally(() => {
        this.#loading = undefined;
      });
    loading.catch(() => {}); // Everybody may have left.
    this.#loading = loading;
    return loading;
  }

  /** A caller without a deadline of its own gets 30 s, less what it has waited. */
  #waiting(signal: AbortSignal | undefined, waitedMs = 0): WaitForOptions {
    return signal ? { signal } : { timeoutMs: DEFAULT_WAIT_MS - waitedMs, clock: this.#engine.clock };
  }

  #enter(): void {
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
    if (this.#closing.signal.aborted) {
      throw new CredentialError("ERR_OAUTH_STORE_CLOSED", "the session was closed");
    }
  }

  #emit(event: CredentialEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        this.#listeners.delete(listener); // A listener cannot be allowed to break a transaction.
      }
    }
  }
}

/** Only the end of a login keeps a token that is still valid from being used. */
function endsLogin(error: unknown): boolean {
  return isCredentialError(error) && FINAL.has(error.code);
}

function notLoggedIn(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "there is no login", {
    reason: "absent",
  });
}

function signedOut(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "logged out", {
    reason: "logged-out",
  });
}
