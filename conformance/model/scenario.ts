import type { Rule } from "./rules.ts";

/** How the authorization server treats refresh tokens. */
export type ServerKind =
  /** One-time; a second use is refused and changes nothing. */
  | "rotates"
  /** One-time, but the last one answers again for a while. */
  | "rotates with grace"
  /** One-time; a second use revokes the whole family. */
  | "rotates and revokes"
  /** Refresh tokens stay as they are. */
  | "keeps";

/** What the credential's lock is worth. */
type LockKind =
  /** Excludes, and a free lock proves its holder dead. */
  | "proves death"
  /** Excludes, but proves nothing: the lease decides. */
  | "leases"
  /** Everybody gets it at once. */
  | "excludes nobody";

/** Kinds of faults and events, each of which a scenario allows a number of times. */
export const FAULTS = [
  "crash",
  "lost answer",
  "timeout",
  "server error",
  "busy",
  "not sent",
  "seal fails",
  "torn seal",
  "save fails",
  "login",
  "logout",
  "store goes back",
  "foreign writer",
  "lock removed",
  "home removed",
  "freeze",
  "expiry",
  "wrong owner",
  "late rejection",
] as const;
export type Fault = (typeof FAULTS)[number];
export type Budget = Partial<Readonly<Record<Fault, number>>>;

/** Windows that no client can close, in the specification's order, and one more that it leaves unnamed. */
export const WINDOWS = [
  "lost answer",
  "foreign writer",
  "freeze past the lease",
  "login not saved",
  "older than the bodies",
  "unsealed token",
  "custodian died",
] as const;
export type Window = (typeof WINDOWS)[number];

/** What a caller of a process wants. */
export type Ask =
  /** A credential that may be sent. */
  | "use"
  /** Another one: this was rejected. */
  | "reject"
  /** Another one, though nobody rejected this. */
  | "force";

/** One situation, explored through every interleaving. */
export interface Scenario {
  readonly name: string;
  readonly server: ServerKind;
  readonly lock: LockKind;
  /** What each process is asked for, in order. */
  readonly asks: readonly (readonly Ask[])[];
  readonly faults: Budget;
  /** Instead of `faults` in the long run. */
  readonly longFaults?: Budget | undefined;
  /** Instead of `asks` in the long run. */
  readonly longAsks?: readonly (readonly Ask[])[] | undefined;
  /** Windows through which a login may be lost here; each must be entered in the run that loses it. */
  readonly windows?: readonly Window[] | undefined;
  /** The stored access token has not run out. @defaultValue it has */
  readonly fresh?: boolean | undefined;
  /** The store holds the second generation; the first was spent and its record is settled. */
  readonly history?: boolean | undefined;
  /** The processes have not read the store yet. @defaultValue they know what it holds */
  readonly unaware?: boolean | undefined;
  /** The second login is another account's. */
  readonly otherAccount?: boolean | undefined;
  /** Refresh tokens are too short to seal with. */
  readonly unsealable?: boolean | undefined;
  /** Nothing can be saved, and that can be known before. */
  readonly unwritable?: boolean | undefined;
  /** Only these processes log in or out. @defaultValue any */
  readonly actors?: readonly number[] | undefined;
  /** An older copy may come back after a logout, too. */
  readonly backAfterLogout?: boolean | undefined;
  /** Rules without which this scenario fails. */
  readonly needs: readonly Rule[];
}
