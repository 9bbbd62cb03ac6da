import type { CredentialState } from "./credential-state.ts";
import { CredentialError } from "./errors.ts";
import { notedLogin } from "./lineage-note.ts";
import type { StoredCredential } from "./look.ts";

const FRESH_MS = 10_000;
const FRESH_REJECTIONS_APART_MS = 60_000;

/**
 * A token rejected within 10 s of the refresh that brought it may be refreshed once a minute: a server that rejects
 * what it issues would otherwise be asked without end. Returns the time to note when this is such a rejection.
 */
export function freshRejection<C, V>(
  state: CredentialState<C, V>,
  stored: StoredCredential<C>,
  nowMs: number,
): number | undefined {
  const { by, receivedAtMs, lineage } = stored.identity;
  // Whoever asks, and for whatever reason: what counts is that this generation was rejected.
  const rejectedAtMs = state.rejectedAtMs(stored.identity);
  if (rejectedAtMs === undefined || by !== "refresh" || receivedAtMs === undefined) return undefined;
  const rejectedAfterMs = rejectedAtMs - receivedAtMs;
  if (rejectedAfterMs < 0 || rejectedAfterMs > FRESH_MS) return undefined;
  const lastAtMs = notedLogin(stored.note, lineage)?.freshRejectionAtMs;
  if (lastAtMs !== undefined && lastAtMs <= nowMs && nowMs - lastAtMs < FRESH_REJECTIONS_APART_MS) {
    throw new CredentialError(
      "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED",
      "the server rejects access tokens that were issued a moment ago",
      { retryAtMs: lastAtMs + FRESH_REJECTIONS_APART_MS },
    );
  }
  return nowMs;
}
