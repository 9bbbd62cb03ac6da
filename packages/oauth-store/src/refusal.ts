import { pause } from "./credential-clock.ts";
import type { Engine } from "./engine.ts";
import { CredentialError } from "./errors.ts";
import { look, type StoredCredential } from "./look.ts";
import type { RecordPen } from "./record-pen.ts";

/** The outcome code of an answer for somebody else. */
export const WRONG_ACCOUNT = "wrong-account";

const FOREIGN_COMMIT_MS = 6000;
const FOREIGN_POLL_MS = 250;

/** The authorization server's word. It is believed only for what the store still holds. */
export async function concludeRefusal<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  pen: RecordPen,
  code: string,
  correlationId: string | undefined,
): Promise<"start-over"> {
  try {
    const receivedAtMs = engine.clock.wallMs();
    await pen.write({ ...pen.header, state: "refused", outcomeCode: code, correlationId, receivedAtMs });
    await engine.fault("outcome-written");
  } catch {
    // Then the next starter asks once more and is told the same.
  } finally {
    pen.close();
  }
  if (await hasMoved(engine, stored, Number.POSITIVE_INFINITY)) return "start-over";
  throw refusal(engine, code, pen.header.uncertain && code !== "invalid_client");
}

/** Says that a login has ended, and tells the listeners. */
function refusal<C, V>(
  engine: Pick<Engine<C, V>, "emit">,
  code: string,
  interrupted: boolean,
): CredentialError {
  if (code === WRONG_ACCOUNT) return wrongAccount(engine);
  engine.emit({ type: interrupted ? "interrupted" : "refused", code });
  return interrupted
    ? new CredentialError(
        "ERR_OAUTH_STORE_INTERRUPTED",
        "an earlier refresh was interrupted: its answer never arrived, and the server refused to repeat it; a login is needed",
        { reason: code },
      )
    : new CredentialError(
        "ERR_OAUTH_STORE_REFUSED",
        "the authorization server refused the refresh token; a login is needed",
        { reason: code },
      );
}

export function wrongAccount<C, V>(engine: Pick<Engine<C, V>, "emit">): CredentialError {
  engine.emit({ type: "refused", code: WRONG_ACCOUNT });
  return new CredentialError(
    "ERR_OAUTH_STORE_WRONG_OWNER",
    "the authorization server answered for somebody else; nothing was installed, and a login is needed",
  );
}

/**
 * What is told of a refusal on record: the same, unless the store has moved on since it was read. One that was
 * written down a moment ago may not have been believed yet by whoever was told.
 */
export async function repeatRefusal<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  { code, interrupted }: { readonly code: string; readonly interrupted: boolean },
): Promise<"start-over"> {
  const { record } = stored;
  const sinceMs = record?.header?.receivedAtMs ?? record?.writtenAtMs ?? 0;
  const ageMs = Math.max(0, engine.clock.wallMs() - sinceMs);
  if (await hasMoved(engine, stored, FOREIGN_COMMIT_MS - ageMs)) return "start-over";
  throw refusal(engine, code, interrupted);
}

/**
 * The last look before something final is said. A writer without our lock may have spent the same refresh token and
 * be about to save what it got: where such are, the store is looked at for so long, 6 s at most.
 */
export async function hasMoved<C, V>(
  engine: Engine<C, V>,
  stored: StoredCredential<C>,
  foreignMs: number,
): Promise<boolean> {
  const { clock } = engine;
  const longestMs = Math.min(Math.max(foreignMs, 0), FOREIGN_COMMIT_MS);
  const untilMs = clock.monotonicMs() + (engine.foreignWriters ? longestMs : 0);
  for (;;) {
    const now = await look(engine).catch(() => stored); // Half a file of that writer: look again.
    if (now?.marks.fingerprint !== stored.marks.fingerprint) return true;
    if (clock.monotonicMs() >= untilMs) return false;
    await pause(clock, FOREIGN_POLL_MS);
  }
}
