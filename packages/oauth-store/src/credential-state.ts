import { ClaimWatch } from "./claim-watch.ts";
import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialKind } from "./credential-kind.ts";
import type { CredentialHandle } from "./credential-session.ts";
import type { CredentialIdentity, CredentialMarks } from "./identify.ts";
import type { Unpersisted } from "./unpersisted.ts";

/** A credential as this process holds it. Never leaves the session: it has the refresh token. */
export interface Installed<C, V> {
  readonly credential: C;
  readonly identity: CredentialIdentity;
  readonly marks: CredentialMarks;
  readonly handle: CredentialHandle<V>;
  /** How this process came by it, when it was not simply read. */
  readonly news?: "refreshed" | "restored" | undefined;
}

interface Generation {
  readonly lineage: string;
  readonly generation: number;
}

const MAX_REJECTED = 64;
const MAX_OWNERS = 8;

/** What one session knows in memory. Every change is one synchronous step. */
export class CredentialState<C, V> {
  /** Moves with each login and logout here: work begun before must not publish after. */
  epoch = 0;
  /** Could not be saved yet. */
  unpersisted: Unpersisted<C, V> | undefined;
  readonly claimWatch: ClaimWatch = new ClaimWatch();
  readonly #kind: CredentialKind<C, V>;
  /** When each was reported. */
  readonly #rejected = new Map<string, number>();
  readonly #owners = new Map<string, C>();
  /** Whose each bearer was that has been handed out. */
  readonly #bearers = new Map<string, string>();
  #current: Installed<C, V> | undefined;
  /** The login that listeners were told had ended. */
  #ended: string | undefined;
  #signedOut: "pending" | { readonly lineage: string } | undefined;

  constructor(kind: CredentialKind<C, V>) {
    this.#kind = kind;
  }

  get current(): Installed<C, V> | undefined {
    return this.#current;
  }

  /** A logout is under way, or could not empty the store. */
  get signedOut(): boolean {
    return this.#signedOut !== undefined;
  }

  prepare(credential: C, identity: CredentialIdentity, marks: CredentialMarks): Installed<C, V> {
    const { lineage, generation } = identity;
    const mine = this.#current;
    // One frozen value per generation, so that what was prepared with it can be told apart later.
    const same =
      mine !== undefined &&
      isSame(mine.identity, identity) &&
      mine.marks.bearerHash === marks.bearerHash &&
      mine.marks.snapshotHash === marks.snapshotHash;
    const handle = same
      ? mine.handle
      : Object.freeze({ view: this.#kind.view(credential), lineage, generation });
    return Object.freeze({ credential, identity, marks, handle });
  }

  install(installed: Installed<C, V>): void {
    this.#current = installed;
    this.#owners.delete(installed.identity.lineage);
    this.#owners.set(installed.identity.lineage, installed.credential);
    trim(this.#owners, MAX_OWNERS);
    const { bearerHash } = installed.marks;
    if (bearerHash !== undefined) this.#bearers.set(bearerHash, installed.identity.lineage);
    trim(this.#bearers, MAX_REJECTED);
    this.#ended = undefined;
  }

  /** The login that a bearer was of, if this session has held it. */
  lineageOf(bearerHash: string): string | undefined {
    return this.#bearers.get(bearerHash);
  }

  /** Installs what has come in the place of ours, and says when that ends what was prepared with another login. */
  replace(listeners: { emit(event: CredentialEvent): void }, installed: Installed<C, V>): void {
    // Also in the place of one that was told to have ended.
    const before = this.#current?.identity.lineage ?? this.#ended;
    const { lineage } = installed.identity;
    const sameOwner = before === undefined || this.isSameOwner(before, installed);
    this.install(installed);
    if (before !== undefined && before !== lineage) listeners.emit({ type: "replaced", sameOwner, lineage });
  }

  /** As `replace`, for what somebody else has saved. */
  adopt(listeners: { emit(event: CredentialEvent): void }, installed: Installed<C, V>): void {
    const before = this.#current?.identity;
    const { lineage, generation } = installed.identity;
    const isOther = (before?.lineage ?? this.#ended ?? lineage) !== lineage;
    this.replace(listeners, installed);
    if (!isOther && before?.generation !== generation)
      listeners.emit({ type: "adopted", lineage, generation });
  }

  clear(): void {
    this.#ended = this.#current?.identity.lineage ?? this.#ended;
    this.#current = undefined;
  }

  /** Whether listeners believe that there is no login. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  reject(generation: Generation, atMs: number): void {
    const name = nameOf(generation);
    // The first report counts: later ones tell of the same token.
    if (!this.#rejected.has(name)) this.#rejected.set(name, atMs);
    trim(this.#rejected, MAX_REJECTED);
  }

  isRejected(generation: Generation): boolean {
    return this.#rejected.has(nameOf(generation));
  }

  rejectedAtMs(generation: Generation): number | undefined {
    return this.#rejected.get(nameOf(generation));
  }

  /** What this process holds, when it is a later generation of the same login. */
  newerThan(stored: Generation): Installed<C, V> | undefined {
    const mine = this.#current;
    return mine && mine.identity.lineage === stored.lineage && mine.identity.generation > stored.generation
      ? mine
      : undefined;
  }

  /** Whether an operation prepared with a handle of `lineage` may go on with `installed`. */
  isSameOwner(lineage: string, installed: Pick<Installed<C, V>, "identity" | "credential">): boolean {
    if (lineage === installed.identity.lineage) return true;
    const owner = this.#owners.get(lineage);
    return owner !== undefined && this.#kind.sameOwner(owner, installed.credential);
  }

  /** Drops what is held, and returns it. */
  beginSignOut(): Installed<C, V> | undefined {
    const held = this.#current;
    this.epoch += 1;
    this.#signedOut = "pending";
    this.clear();
    return held;
  }

  /** `leftBehind`: the lineage that could not be removed and is not to be taken up again. */
  endSignOut(leftBehind: string | undefined): void {
    if (this.#signedOut !== "pending") return;
    this.#signedOut = leftBehind === undefined ? undefined : { lineage: leftBehind };
  }

  beginLogin(installed: Installed<C, V>): void {
    this.epoch += 1;
    this.#signedOut = undefined;
    this.install(installed);
  }

  /** Whether a stored login is one that was signed out of here. Meeting another ends that. */
  isDisowned(lineage: string): boolean {
    const left = this.#signedOut;
    if (left === undefined || left === "pending") return left === "pending";
    if (left.lineage === lineage) return true;
    this.#signedOut = undefined;
    return false;
  }
}

export function isSame(a: Generation, b: Generation): boolean {
  return a.lineage === b.lineage && a.generation === b.generation;
}

function nameOf({ lineage, generation }: Generation): string {
  return `${lineage}/${generation}`;
}

function trim(collection: Map<string, unknown>, size: number): void {
  for (const oldest of collection.keys()) {
    if (collection.size <= size) return;
    collection.delete(oldest);
  }
}
