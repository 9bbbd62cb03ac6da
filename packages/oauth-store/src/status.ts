import type { CredentialStatus } from "./credential-session.ts";
import { type Engine, needOf } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { peek, type StoredCredential } from "./look.ts";
import { standsRefused } from "./next-starter.ts";
import { WRONG_ACCOUNT } from "./refusal.ts";
import type { SpendHeader } from "./spend-header.ts";
import { readSealed } from "./starter-view.ts";

/** Reads the store and the record of its refresh token; takes no lock. */
export async function statusOf<C, V>(engine: Engine<C, V>): Promise<CredentialStatus<V>> {
  const { state } = engine;
  const unsaved = state.unpersisted && state.current;
  if (unsaved) {
    const failure = { code: "ERR_OAUTH_STORE_NOT_WRITABLE", permanent: false };
    return { state: "usable", handle: unsaved.handle, expired: needOf(engine, unsaved) === "now", failure };
  }
  try {
    const stored = await peek(engine, { lockTimeoutMs: 0 });
    if (!stored || state.isDisowned(stored.identity.lineage)) return { state: "absent", expired: false };
    const known = state.prepare(stored.credential, stored.identity, stored.marks);
    const expired = needOf(engine, known) === "now" || state.isRejected(known.identity);
    const { record } = stored;
    const isSpent = record?.header?.state === "settled" && (await readSealed(engine, stored)) === undefined;
    const failure = isSpent
      ? { code: "ERR_OAUTH_STORE_SUPERSEDED", permanent: true }
      : failureOf(record?.header, stored, engine.clock.wallMs());
    const refreshable = stored.refreshToken !== undefined && !failure?.permanent;
    return { state: expired && !refreshable ? "unusable" : "usable", handle: known.handle, expired, failure };
  } catch (error) {
    const code = isCredentialError(error) ? error.code : undefined;
    if (code === "ERR_OAUTH_STORE_CORRUPT")
      return { state: "corrupt", expired: false, failure: { code, permanent: true } };
    if (code !== "ERR_OAUTH_STORE_LOCK_TIMEOUT") throw error;
    // Half a file, and somebody who may be writing it: what this process holds can be told all the same.
    const failure = { code, permanent: false };
    const held = state.current;
    if (!held) return { state: "corrupt", expired: false, failure };
    return { state: "usable", handle: held.handle, expired: needOf(engine, held) === "now", failure };
  }
}

function failureOf(
  header: SpendHeader | undefined,
  { marks, clientHash }: Pick<StoredCredential<unknown>, "marks" | "clientHash">,
  nowMs: number,
): CredentialStatus<unknown>["failure"] {
  if (!header) return undefined;
  const reason = header.outcomeCode;
  const permanent = (code: string) => ({ code: `ERR_OAUTH_STORE_${code}`, permanent: true, reason });
  const isJudged = header.state === "sealed" || header.state === "refused";
  if (isJudged && header.outcomeCode === WRONG_ACCOUNT) return permanent("WRONG_OWNER");
  if (standsRefused(header, { ...marks, clientHash })) {
    const interrupted = header.uncertain && header.outcomeCode !== "invalid_client";
    return permanent(interrupted ? "INTERRUPTED" : "REFUSED");
  }
  const isPutOff = header.state === "unknown" || header.state === "deferred";
  if (!isPutOff || header.nextAtMs === undefined || header.nextAtMs <= nowMs) return undefined;
  return { code: "ERR_OAUTH_STORE_TRANSIENT", permanent: false, retryAtMs: header.nextAtMs, reason };
}
