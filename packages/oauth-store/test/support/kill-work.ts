import type { OAuthCredential } from "../../src/index.ts";
import type { KillOrder } from "../children/killed-child.ts";
import type { KillLab } from "./kill-lab.ts";
import type { KillStore } from "./kill-stores.ts";

/** Something a process is killed in. */
export interface KillWork {
  readonly name: string;
  readonly work: KillOrder["work"];
  /** @defaultValue the two that are one file */
  readonly stores?: readonly KillStore[] | undefined;
  /** Killed a hundred times at each point in a run with the full counts; the rest a tenth of that, where these come too. */
  readonly often?: true | undefined;
  /** Makes what was there before, in one home. */
  readonly prepare: (lab: KillLab, home: string, store: KillStore) => Promise<Prepared>;
  /** Before the work a use is killed at this point. */
  readonly after?: string | undefined;
  /** The first and the last point at which this differs from other work. @defaultValue all */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Its answer cannot be sealed: nobody can tell an older copy that comes back from one that was never spent. */
  readonly unsealed?: true | undefined;
  readonly end: (at: KillProgress, prepared: Prepared) => KillEnd;
}

export interface Prepared {
  /** The refresh token whose sends are counted. */
  readonly token: string;
  /** For a login. */
  readonly credential?: OAuthCredential | undefined;
}

/** How far the work had come. */
export interface KillProgress {
  /** Whether it stood at that point or had passed it; `name#2` is the second of that name. */
  reached(point: string): boolean;
}

/** What the next start comes to, and how often the refresh token was sent by then since the work began. */
export interface KillEnd {
  readonly sends: number;
  /** The error, and what is said of it. @defaultValue the login works */
  readonly fails?: { readonly code: string; readonly verdict: string } | undefined;
  /** The access token that works. @defaultValue any */
  readonly accessToken?: string | undefined;
}

export function works(sends: number): KillEnd {
  return { sends };
}

export function fails(code: string, verdict: string, sends: number): KillEnd {
  return { sends, fails: { code: `ERR_OAUTH_STORE_${code}`, verdict } };
}

/** The place of a point in `points`; beyond the last when it is not there. */
export function placeOf(points: readonly string[], wanted: string): number {
  const [name, nth = "1"] = wanted.split("#");
  const places = points.flatMap((point, at) => (point === name ? [at] : []));
  return places[Number(nth) - 1] ?? points.length;
}
