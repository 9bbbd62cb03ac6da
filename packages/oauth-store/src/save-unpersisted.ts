import { later } from "./credential-clock.ts";
import type { Engine } from "./engine.ts";
import { isCredentialError } from "./errors.ts";
import { Hold } from "./hold.ts";
import { LEASE_MS } from "./spend-backoff.ts";
import { custodyOf, flushUnpersisted, type Unpersisted } from "./unpersisted.ts";

/**
 * One try, under the lock, to save what this process could not save before. Never throws: what fails is tried again
 * in the background.
 */
export async function saveUnpersisted<C, V>(engine: Engine<C, V>): Promise<void> {
  const waiting = engine.state.unpersisted;
  if (!waiting) return;
  const stopRenewing = keepRenewing(engine, waiting);
  try {
    await renewLease(engine, waiting);
    const lock = await engine.ledger.lock({ timeoutMs: lockTimeoutMs(waiting), signal: engine.closing });
    const hold = new Hold(lock, engine.clock, engine.state.epoch);
    hold.keepAlive();
    try {
      await engine.fault("locked");
      await flushUnpersisted(engine, hold);
    } finally {
      hold.end();
    }
  } catch (error) {
    if (engine.state.unpersisted !== waiting) return;
    engine.emit({ type: "unpersisted", code: isCredentialError(error) ? error.code : "unknown" });
    if (waiting.what === "login") {
      // Not saved at once: from now on only over what was there when the login was made.
      await waiting.base;
      // Read again: it moves with what this session saves or removes.
      waiting.over = await waiting.base;
    }
    await renewLease(engine, waiting);
    engine.keepSaving();
  } finally {
    stopRenewing();
  }
}

/** A store that does not answer must not make others believe that we are dead. */
function keepRenewing<C, V>(engine: Engine<C, V>, waiting: Unpersisted<C, V>): () => void {
  let stop = () => {};
  const renew = () => {
    void renewLease(engine, waiting);
    stop = later(engine.clock, LEASE_MS / 3, renew, { background: true });
  };
  if (custodyOf(waiting)?.claim) stop = later(engine.clock, LEASE_MS / 3, renew, { background: true });
  return () => stop();
}

/** A custodian must come round to renewing its lease before it ends. */
function lockTimeoutMs<C, V>(waiting: Unpersisted<C, V>): number {
  return custodyOf(waiting)?.claim ? LEASE_MS / 3 : 60_000;
}

/** Where a lock proves nothing, others believe that we live until the lease ends. */
async function renewLease<C, V>(engine: Engine<C, V>, waiting: Unpersisted<C, V>): Promise<void> {
  try {
    await custodyOf(waiting)?.renew(engine.clock.wallMs() + LEASE_MS);
  } catch {
    // The lock on the record still says that we live.
  }
}
