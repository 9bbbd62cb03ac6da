import type { HttpTransport } from "@hawser/transport";
import type { AccountCredential } from "./account-credential.ts";
import type { AccountEndpoints } from "./account-endpoints.ts";

/** What every way to log in needs of the manager. */
export interface LoginContext {
  readonly transport: HttpTransport;
  readonly endpoints: AccountEndpoints;
  readonly clientId: string;
  /** Gives back a login that is not wanted after all. Never throws. */
  readonly discard: (credential: AccountCredential) => Promise<void>;
  /** Wall clock. */
  readonly now: () => number;
  /** Waits, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}
