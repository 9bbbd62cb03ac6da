import type { Engine } from "./engine.ts";
import { CredentialError } from "./errors.ts";
import type { RecordPen } from "./record-pen.ts";
import { nextAttemptAtMs } from "./spend-backoff.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { SpendLedger } from "./spend-ledger.ts";

/** Marks an attempt as failed and puts the next one off, for everybody. */
export async function putOff<C, V>(
  engine: Engine<C, V>,
  pen: RecordPen,
  outcome: {
    readonly state: "unknown" | "deferred";
    readonly code: string;
    readonly retryAtMs?: number | undefined;
    readonly correlationId?: string | undefined;
  },
): Promise<CredentialError> {
  const { state, code, retryAtMs, correlationId } = outcome;
  const failures = pen.header.failures + 1;
  const nowMs = engine.clock.wallMs();
  const nextAtMs = nextAttemptAtMs({ nowMs, failures, random: engine.random(), retryAtMs });
  try {
    await pen.write({ ...pen.header, state, outcomeCode: code, correlationId, failures, nextAtMs });
    await engine.fault("outcome-written");
    await forgetFailures(engine.ledger, pen.header);
  } catch {
    // The record stays claimed and its owner is about to let go: the next starter tries once more.
  } finally {
    pen.close();
  }
  engine.emit({ type: "deferred", code, retryAtMs: nextAtMs });
  return transient(code, nextAtMs);
}

export function transient(code: string, retryAtMs: number): CredentialError {
  return new CredentialError("ERR_OAUTH_STORE_TRANSIENT", "the credential could not be refreshed this time", {
    reason: code,
    retryAtMs,
  });
}

export function superseded(): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_SUPERSEDED",
    "the store holds a refresh token that was spent before, and its successor is gone; a login is needed",
  );
}

/** The latest attempt that came to nothing tells of those before it: a server that is gone for a year would fill the disk. */
async function forgetFailures(
  ledger: SpendLedger,
  latest: Pick<SpendHeader, "fingerprint" | "attempt">,
): Promise<void> {
  for (const record of await ledger.attempts(latest.fingerprint)) {
    const state = record.header?.state;
    const isOver = state === "unknown" || state === "deferred";
    if (isOver && record.attempt < latest.attempt) await ledger.remove(record);
  }
}
