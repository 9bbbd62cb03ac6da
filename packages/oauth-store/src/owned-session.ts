import type { CredentialClock } from "./credential-clock.ts";
import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialKind } from "./credential-kind.ts";
import type {
  CredentialHandle,
  CredentialSession,
  CredentialStatus,
  LoginOptions,
  LogoutReport,
  WaitOptions,
} from "./credential-session.ts";
import { CredentialState } from "./credential-state.ts";
import type { CredentialStore } from "./credential-store.ts";
import type { Engine } from "./engine.ts";
import { EntryGuard, type Nesting } from "./entry-guard.ts";
import { CredentialError, type CredentialErrorCode, isCredentialError } from "./errors.ts";
import { EventHub } from "./event-hub.ts";
import { explain } from "./explain.ts";
import type { CredentialExplanation } from "./explanation.ts";
import { bearerHash } from "./fingerprint.ts";
import { FlightDeck } from "./flight-deck.ts";
import { HandleSource } from "./handle-source.ts";
import { beginLogin } from "./login.ts";
import { logout } from "./logout.ts";
import type { RefreshGrant } from "./refresh-grant.ts";
import { saveUnpersisted } from "./save-unpersisted.ts";
import type { SpendOwner } from "./spend-header.ts";
import type { SpendLedger } from "./spend-ledger.ts";
import { statusOf } from "./status.ts";
import { custodyOf } from "./unpersisted.ts";
import { waitFor } from "./wait-for.ts";

export interface OwnedSessionOptions<C, V> {
  readonly kind: CredentialKind<C, V>;
  readonly store: CredentialStore;
  readonly key: string;
  readonly ledger: SpendLedger;
  readonly clock: CredentialClock;
  readonly random: () => number;
  readonly owner: SpendOwner;
  readonly foreignWriters: boolean;
  readonly nesting: Nesting | undefined;
  readonly refreshGrant: RefreshGrant<C>;
  readonly revoke: ((credential: C) => Promise<void>) | undefined;
  readonly faultPoint: ((name: string) => void | Promise<void>) | undefined;
}

/** A token that is still valid is not waited for longer than this to get a better one. */
const VALID_WAIT_MS = 5000;

const FINAL: ReadonlySet<CredentialErrorCode> = new Set([
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
  readonly #handles: HandleSource<C, V>;
  readonly #guard: EntryGuard;
  readonly #events = new EventHub();
  readonly #revoke: ((credential: C) => Promise<void>) | undefined;
  readonly #closing = new AbortController();

  constructor(options: OwnedSessionOptions<C, V>) {
    const { kind, nesting, refreshGrant, revoke, faultPoint, ...rest } = options;
    this.#state = new CredentialState(kind);
    this.#guard = new EntryGuard(nesting, this.#closing.signal);
    this.#revoke = revoke;
    this.#engine = {
      ...rest,
      kind,
      state: this.#state,
      grant: (input) => this.#guard.run(() => refreshGrant(input)),
      closing: this.#closing.signal,
      fault: async (name) => faultPoint?.(name),
      emit: (event) => this.#events.emit(event),
      keepSaving: () => this.#deck.keepSaving(),
    };
    this.#deck = new FlightDeck(this.#engine);
    this.#handles = new HandleSource(this.#engine, this.#deck);
  }

  snapshot(): CredentialHandle<V> | undefined {
    return this.#state.current?.handle;
  }

  async ensureFresh({ signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#guard.enter();
    const ready = this.#handles.ready();
    if (ready) return ready;
    signal?.throwIfAborted();
    if (!this.#state.current) {
      await this.#handles.held(signal);
      const loaded = this.#handles.ready();
      if (loaded) return loaded;
    }
    const valid = this.#handles.valid();
    try {
      const work = this.#deck.join({ reason: "expiry" });
      return await waitFor(
        work,
        valid
          ? { signal, timeoutMs: VALID_WAIT_MS, clock: this.#engine.clock }
          : this.#handles.waiting(signal),
      );
    } catch (error) {
      const still = this.#handles.valid();
      if (still && !endsLogin(error) && !signal?.aborted) return still.handle;
      throw error;
    }
  }

  async recover(rejected: CredentialHandle<V>, { signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#guard.enter();
    const { lineage, generation } = rejected;
    // Noted also for a caller who has given up: it is true.
    this.#state.reject({ lineage, generation }, this.#engine.clock.wallMs());
    signal?.throwIfAborted();
    return this.#handles.another({ lineage, generation }, "rejected", signal);
  }

  async recoverBearer(rejected: string, options: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#guard.enter();
    options.signal?.throwIfAborted();
    const current = await this.#handles.held(options.signal);
    const hash = bearerHash(this.#engine.key, rejected);
    if (current?.marks.bearerHash === hash) return this.recover(current.handle, options);
    // A string that is not the one we hold was replaced already: what we hold is the answer to it.
    const handle = await this.ensureFresh(options);
    return this.#handles.forOwner(this.#state.lineageOf(hash) ?? handle.lineage, handle);
  }

  async refresh({ signal }: WaitOptions = {}): Promise<CredentialHandle<V>> {
    this.#guard.enter();
    signal?.throwIfAborted();
    const current = await this.#handles.held(signal);
    if (!current) return waitFor(this.#deck.join({ reason: "forced" }), this.#handles.waiting(signal));
    return this.#handles.another(current.identity, "forced", signal);
  }

  async login(credential: C, { pins }: LoginOptions = {}): Promise<CredentialHandle<V>> {
    this.#guard.enter();
    const handle = beginLogin(this.#engine, credential, pins);
    this.#deck.land(handle);
    this.#deck.saveAnew();
    await this.#deck.own(() => saveUnpersisted(this.#engine));
    return handle;
  }

  async logout(): Promise<LogoutReport> {
    this.#guard.enter();
    const held = this.#state.beginSignOut();
    this.#deck.ground(signedOut());
    this.#engine.emit({ type: "loggedOut", elsewhere: false });
    return this.#deck.own(() => logout(this.#engine, held, this.#revoke));
  }

  async status(): Promise<CredentialStatus<V>> {
    return this.#deck.own(() => statusOf(this.#engine));
  }

  async explain(): Promise<CredentialExplanation> {
    return this.#deck.own(() => explain(this.#engine));
  }

  onEvent(listener: (event: CredentialEvent) => void): () => void {
    return this.#events.on(listener);
  }

  async settle(): Promise<void> {
    this.#guard.assertOutside();
    await this.#deck.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#guard.assertOutside();
    if (this.#closing.signal.aborted) return;
    await this.#deck.settle();
    this.#closing.abort();
    this.#deck.close();
    const { unpersisted } = this.#state;
    // Nobody saves it any more: a record that stayed locked would only stop everybody else.
    if (unpersisted) custodyOf(unpersisted)?.close();
  }
}

/** Only the end of a login keeps a token that is still valid from being used; that it cannot be bettered does not. */
function endsLogin(error: unknown): boolean {
  return isCredentialError(error) && FINAL.has(error.code);
}

function signedOut(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "logged out", {
    reason: "logged-out",
  });
}
