import { AsyncLocalStorage } from "node:async_hooks";
import { later } from "./credential-clock.ts";
import type { CredentialHandle } from "./credential-session.ts";
import type { Installed } from "./credential-state.ts";
import type { Engine, RefreshGoal } from "./engine.ts";
import { CredentialError, isCredentialError } from "./errors.ts";
import { saveUnpersisted } from "./save-unpersisted.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import { transact } from "./transaction.ts";
import { isOnlyHere } from "./unpersisted.ts";

interface Flight<V> {
  readonly promise: Promise<CredentialHandle<V>>;
  readonly resolve: (handle: CredentialHandle<V>) => void;
  readonly reject: (error: unknown) => void;
}

const FIRST_SAVE_DELAY_MS = 100;
const LONGEST_SAVE_DELAY_MS = 30_000;
/** What would end with the process keeps it running so long; then the process may end, and loses it. */
const LONGEST_STAY_MS = 60_000;
const SHORTEST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15 * 60_000;
const PAUSE_AFTER_REFUSAL_MS = 10_000;

/** Owns the session's work: one flight at a time, what follows it, and the background. Callers only wait. */
export class FlightDeck<C, V> {
  readonly #engine: Engine<C, V>;
  /** Shared work runs in the context of the session's creator, never in that of the caller who came first. */
  readonly #runOwned = AsyncLocalStorage.snapshot();
  readonly #pending = new Set<Promise<unknown>>();
  #flight: Flight<V> | undefined;
  #tail: Promise<void> = Promise.resolve();
  #backgroundFromMs = Number.NEGATIVE_INFINITY;
  #stopSaving: (() => void) | undefined;
  #unsavedSinceMs: number | undefined;
  #saveDelayMs = FIRST_SAVE_DELAY_MS;
  #closed = false;

  constructor(engine: Engine<C, V>) {
    this.#engine = engine;
  }

  /** The flight under way, else a new one. */
  join(goal: RefreshGoal): Promise<CredentialHandle<V>> {
    return (this.#flight ?? this.#start(goal)).promise;
  }

  /** Starts a flight nobody waits for, unless the last one said when to try again. */
  refreshInBackground(): void {
    const { clock } = this.#engine;
    if (this.#flight || clock.monotonicMs() < this.#backgroundFromMs) return;
    this.join({ reason: "expiry" }).catch((error: unknown) => {
      const retryAtMs = isCredentialError(error) ? error.retryAtMs : undefined;
      const pauseMs = retryAtMs === undefined ? PAUSE_AFTER_REFUSAL_MS : retryAtMs - clock.wallMs();
      this.#backgroundFromMs =
        clock.monotonicMs() + Math.min(Math.max(pauseMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    });
  }

  /** Those who wait get this at once; the work goes on and publishes nothing. */
  land(handle: CredentialHandle<V>): void {
    this.#flight?.resolve(handle);
    this.#flight = undefined;
  }

  ground(error: CredentialError): void {
    this.#flight?.reject(error);
    this.#flight = undefined;
  }

  /** Runs work that belongs to the session; `settle` waits for it. */
  own<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#runOwned(work).catch((error: unknown) => {
      throw asCredentialError(error);
    });
    const done = running.then(
      () => {},
      () => {},
    );
    this.#pending.add(done);
    void done.then(() => {
      this.#pending.delete(done);
      // Saved by other work than that of its timer, which would only keep the process.
      if (this.#stopSaving && !this.#engine.state.unpersisted) this.saveAnew();
    });
    return running;
  }

  /** Forgets what was waiting to be saved: a login made now is kept as long as any other. */
  saveAnew(): void {
    this.#stopSaving?.();
    this.#stopSaving = undefined;
    this.#unsavedSinceMs = undefined;
    this.#saveDelayMs = FIRST_SAVE_DELAY_MS;
  }

  /** Saves what could not be saved, again and again, more and more rarely. */
  keepSaving(): void {
    if (this.#stopSaving || this.#closed) return;
    const { clock, state } = this.#engine;
    const { unpersisted } = state;
    const onlyHere = unpersisted !== undefined && isOnlyHere(unpersisted);
    this.#unsavedSinceMs ??= clock.monotonicMs();
    const background = !onlyHere || clock.monotonicMs() - this.#unsavedSinceMs > LONGEST_STAY_MS;
    // A custodian renews its lease with each try.
    const delayMs = onlyHere ? Math.min(this.#saveDelayMs, LEASE_MS / 3) : this.#saveDelayMs;
    const save = () => {
      this.#stopSaving = undefined;
      this.#saveDelayMs = Math.min(this.#saveDelayMs * 2, LONGEST_SAVE_DELAY_MS);
      void this.own(async () => {
        await saveUnpersisted(this.#engine);
        if (!state.unpersisted) this.saveAnew();
      });
    };
    this.#stopSaving = later(clock, delayMs, save, { background });
  }

  async settle(): Promise<void> {
    await this.#quiet();
    if (!this.#engine.state.unpersisted) return;
    await this.own(() => saveUnpersisted(this.#engine));
    await this.#quiet();
  }

  close(): void {
    this.#closed = true;
    this.#stopSaving?.();
  }

  async #quiet(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #start(goal: RefreshGoal): Flight<V> {
    const flight: Flight<V> = Promise.withResolvers<CredentialHandle<V>>();
    flight.promise.catch(() => {}); // Everybody may have left.
    this.#flight = flight;
    const before = this.#tail;
    const work = this.own(async () => {
      // Our own last flight may still be letting go of the lock.
      await before;
      await this.#fly(flight, goal);
    });
    this.#tail = work;
    return flight;
  }

  async #fly(flight: Flight<V>, goal: RefreshGoal): Promise<void> {
    try {
      await transact(this.#engine, goal, (installed, epoch) => this.#publish(flight, installed, epoch));
    } catch (error) {
      this.#end(flight);
      flight.reject(asCredentialError(error));
    }
  }

  /** Installs and ends the flight in one step: whoever comes now sees the result, or starts anew. */
  #publish(flight: Flight<V>, installed: Installed<C, V>, epoch: number): void {
    const { state } = this.#engine;
    this.#end(flight);
    if (state.epoch !== epoch) {
      const { current } = state;
      if (current) flight.resolve(current.handle);
      else flight.reject(overtaken());
      return;
    }
    const { news, ...known } = installed;
    const { lineage, generation } = known.identity;
    if (news) {
      // Also a login of somebody else's that was refreshed before it was ever adopted.
      state.replace(this.#engine, known);
      this.#engine.emit({ type: news, lineage, generation });
    } else state.adopt(this.#engine, known);
    this.#backgroundFromMs = Number.NEGATIVE_INFINITY;
    flight.resolve(known.handle);
  }

  #end(flight: Flight<V>): void {
    if (this.#flight === flight) this.#flight = undefined;
  }
}

/** Errors of others may hold what was stored or sent: only their name goes on. */
function asCredentialError(error: unknown): CredentialError {
  if (isCredentialError(error)) return error;
  const name = error instanceof Error ? error.name : "unknown";
  if (name === "AbortError") return new CredentialError("ERR_OAUTH_STORE_CLOSED", "the session was closed");
  return new CredentialError("ERR_OAUTH_STORE_TRANSIENT", "the refresh could not be carried out", {
    reason: `internal: ${name}`,
  });
}

function overtaken(): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED", "logged out meanwhile", {
    reason: "logged-out",
  });
}
