import { classifyAnswer } from "./classify-answer.ts";
import type { JsonValue } from "./credential-kind.ts";
import type { Engine } from "./engine.ts";
import { CredentialError, printable } from "./errors.ts";
import { bringsSuccessor, finish, validated } from "./finish.ts";
import type { Hold } from "./hold.ts";
import { keepAnswer, type Sealing } from "./keep-answer.ts";
import type { StoredCredential } from "./look.ts";
import { putOff } from "./put-off.ts";
import { penOfClaim } from "./record-pen.ts";
import type { RefreshGrantAnswer } from "./refresh-grant.ts";
import { concludeRefusal } from "./refusal.ts";
import type { SealedAnswer } from "./sealed-answer.ts";
import type { SpendEnd } from "./spend.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord } from "./spend-ledger.ts";
import { standDown } from "./stand-down.ts";

/** One attempt whose answer, or silence, is here. */
export interface Attempt {
  readonly claim: ClaimedRecord;
  readonly header: SpendHeader;
  readonly answer: RefreshGrantAnswer;
  /** Seals what was answered; undefined where that would protect nothing. */
  readonly sealing: Sealing | undefined;
  readonly receivedAtMs: number;
  readonly freshRejectionAtMs: number | undefined;
}

/** Steps 9 to 11: writes down what the answer was, and finishes what can be finished. */
export async function conclude<C, V>(
  engine: Engine<C, V>,
  hold: Hold,
  stored: StoredCredential<C> & { readonly refreshToken: string },
  attempt: Attempt,
): Promise<SpendEnd<C, V>> {
  const { claim, header, answer, receivedAtMs, freshRejectionAtMs } = attempt;
  if (answer.sent === "no" && answer.loginNeeded === true) {
    await standDown(engine.ledger, claim, header);
    throw new CredentialError(
      "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
      "the refresh token was not sent, and no later try could send it; a login is needed",
      { reason: printable(answer.code) },
    );
  }
  const pen = penOfClaim(claim, header);
  const said = classifyAnswer(answer, engine.kind);
  const { retryAtMs } = answer;
  const correlationId = answer.sent === "yes" ? shownCorrelation(answer.correlationId, stored) : undefined;
  if (said.is === "refused") return concludeRefusal(engine, stored, pen, said.code, correlationId);
  if (said.is !== "answered") {
    throw await putOff(engine, pen, { state: said.is, code: said.code, retryAtMs, correlationId });
  }
  if (isEmpty(engine, stored, said.json)) {
    throw await putOff(engine, pen, { state: "unknown", code: "no-tokens", retryAtMs, correlationId });
  }
  const sealedPen = await keepAnswer(
    engine,
    claim,
    attempt.sealing,
    { ...header, receivedAtMs, correlationId },
    said.text,
  );
  await engine.fault("sealed");
  const sealed: SealedAnswer = { json: said.json, receivedAtMs, freshRejectionAtMs };
  return finish(engine, hold, stored, sealedPen, sealed);
}

/** For a person who asks the server's operator. A server that echoes what was sent is not quoted. */
function shownCorrelation(
  id: string | undefined,
  stored: { readonly refreshToken: string },
): string | undefined {
  if (id === undefined || id.includes(stored.refreshToken) || stored.refreshToken.includes(id))
    return undefined;
  return printable(id);
}

/** A 2xx without anything to keep. Whether a refresh token is in it is asked before anything is judged. */
function isEmpty<C, V>(engine: Engine<C, V>, stored: StoredCredential<C>, json: JsonValue): boolean {
  if (bringsSuccessor(engine.kind, json)) return false;
  const { outcome } = validated(engine.kind, stored.credential, json);
  return outcome === "unusable" || outcome === "refresh-token-only";
}
