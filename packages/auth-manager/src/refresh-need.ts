import type { CredentialAge, RefreshNeed } from "@hawser/oauth-store";
import type { AccountCredential } from "./account-credential.ts";

/**
 * How long before its end a token is replaced. Twice the five minutes of the other program that writes this file: it
 * then finds a fresh token on disk and spends nothing.
 */
const windowMs = 10 * 60 * 1000;

/** This close to its end a token may run out on the way; a refresh is waited for. */
const lastMomentMs = 30_000;

/** An opaque token has no end that can be read; it is replaced at this age. */
const opaqueAgeMs = 8 * 24 * 3600 * 1000;

/** Whether the access token may be sent, and whether it is time to replace it. Reads no clock of its own. */
export function refreshNeed(credential: AccountCredential, age: CredentialAge): RefreshNeed {
  if (credential.method !== "chatgpt") return "no";
  if (credential.bearer === undefined || credential.lastRefreshMs === 0) return "now";
  const claims = credential.accessClaims;
  // Anchored at receipt: a local clock that is wrong by hours would else call every new token expired.
  const anchoredEndMs =
    age.receivedAtMs === undefined || age.lifetimeMs === undefined
      ? undefined
      : age.receivedAtMs + age.lifetimeMs;
  const endMs = anchoredEndMs ?? claims?.expiresAtMs;
  if (endMs === undefined) {
    const old = (credential.lastRefreshMs ?? age.nowMs) < age.nowMs - opaqueAgeMs;
    return old ? "soon" : "no";
  }
  const leftMs = endMs - age.nowMs;
  if (leftMs <= 0) return "now";
  const lifetimeMs = age.lifetimeMs ?? claims?.lifetimeMs ?? Number.POSITIVE_INFINITY;
  // A token that lives shorter than a window would be replaced on every use.
  const within = (ms: number) => leftMs <= (lifetimeMs <= ms ? lifetimeMs / 2 : ms);
  if (within(lastMomentMs)) return "first";
  return within(windowMs) ? "soon" : "no";
}
