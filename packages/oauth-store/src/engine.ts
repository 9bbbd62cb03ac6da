import type { CredentialClock } from "./credential-clock.ts";
import type { CredentialEvent } from "./credential-event.ts";
import type { CredentialKind, RefreshNeed } from "./credential-kind.ts";
import type { CredentialState, Installed } from "./credential-state.ts";
import type { CredentialStore } from "./credential-store.ts";
import type { RefreshGrant } from "./refresh-grant.ts";
import type { SpendOwner } from "./spend-header.ts";
import type { SpendLedger } from "./spend-ledger.ts";

/** What every step of the transaction works with. */
export interface Engine<C, V> {
  readonly kind: CredentialKind<C, V>;
  readonly store: CredentialStore;
  readonly key: string;
  readonly ledger: SpendLedger;
  readonly clock: CredentialClock;
  readonly random: () => number;
  readonly owner: SpendOwner;
  readonly foreignWriters: boolean;
  readonly state: CredentialState<C, V>;
  readonly grant: RefreshGrant<C>;
  /** Aborts lock waits when the session closes. */
  readonly closing: AbortSignal;
  fault(name: string): Promise<void>;
  emit(event: CredentialEvent): void;
  /** Called when something could not be saved: it is tried again in the background. */
  keepSaving(): void;
}

/** Why a refresh is wanted, and which generation will not do. */
export interface RefreshGoal {
  readonly reason: "expiry" | "rejected" | "forced";
  readonly not?: { readonly lineage: string; readonly generation: number } | undefined;
}

/** A token that looks spent on arrival would be refreshed at every use: for two seconds it counts as it is. */
const SETTLING_MS = 2000;

/** What the kind says of a credential, measured from its receipt. */
export function needOf<C, V>(
  engine: Pick<Engine<C, V>, "kind" | "clock">,
  known: Pick<Installed<C, V>, "credential" | "identity">,
): RefreshNeed {
  const { receivedAtMs, lifetimeMs, by } = known.identity;
  const nowMs = engine.clock.wallMs();
  const marked = lifetimeMs === 0; // Known to be no good, whatever its own dates say.
  if (marked) return "now";
  const sinceMs = receivedAtMs === undefined ? -1 : nowMs - receivedAtMs;
  if (by === "refresh" && sinceMs >= 0 && sinceMs < SETTLING_MS) return "no";
  return engine.kind.needsRefresh(known.credential, { nowMs, receivedAtMs, lifetimeMs });
}
