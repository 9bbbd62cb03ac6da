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
    await pen.write({ ...pen.header, state: "refused", outcomeCode: code, correlationId });
    await engine.fault("outcome-written");
  } catch {
    // Then the next starter asks once more and is told the same.
  } finally {
    pen.close();
  }
  if (await hasMoved(engine, stored)) return "start-over";
  throw refusal(engine, code, pen.header.uncertain && code !== "invalid_client");
}

/** Says that a login has ended, and tells the listeners. */
export function refusal<C, V>(
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

/** A writer without our lock may have spent the same refresh token and be about to save what it got. */
async function hasMoved<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>): Promise<boolean> {
  const { clock } = engine;
  const untilMs = clock.monotonicMs() + (engine.foreignWriters ? FOREIGN_COMMIT_MS : 0);
  for (;;) {
    const now = await look(engine).catch(() => stored); // Half a file of that writer: look again.
    if (now?.marks.fingerprint !== stored.marks.fingerprint) return true;
    if (clock.monotonicMs() >= untilMs) return false;
    await pause(clock, FOREIGN_POLL_MS);
  }
}
