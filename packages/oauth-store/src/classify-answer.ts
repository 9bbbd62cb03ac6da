import type { CredentialKind, JsonValue } from "./credential-kind.ts";
import { printable } from "./errors.ts";
import { parseJsonText } from "./json-text.ts";
import type { RefreshGrantAnswer } from "./refresh-grant.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_DEPTH = 64;
const FINAL_ERRORS = ["invalid_grant", "invalid_client"];

/** What an answer means for the refresh token that was spent for it. */
export type AnswerClass =
  /** A 2xx in JSON: what is in it is the kind's affair. */
  | { readonly is: "answered"; readonly json: JsonValue; readonly text: string }
  /** Consumed or not, nobody knows. */
  | { readonly is: "unknown"; readonly code: string }
  /** Not sent, or answered and not consumed. */
  | { readonly is: "deferred"; readonly code: string }
  /** The authorization server ended it. */
  | { readonly is: "refused"; readonly code: string };

/** A pure reading of what came back: only a JSON error the kind lists as final, and no 5xx, is a refusal. */
export function classifyAnswer<C, V>(answer: RefreshGrantAnswer, kind: CredentialKind<C, V>): AnswerClass {
  if (answer.sent !== "yes") {
    return { is: answer.sent === "no" ? "deferred" : "unknown", code: printable(answer.code) };
  }
  const { status, body } = answer;
  // Members that are not UTF-8 are read as well as they can be: the tokens beside them are ASCII.
  const text = body.byteLength > MAX_ANSWER_BYTES ? undefined : new TextDecoder().decode(body);
  const json = text === undefined ? undefined : parse(text);
  if (status >= 200 && status < 300) {
    if (text === undefined || json === undefined) return { is: "unknown", code: "unreadable" };
    return { is: "answered", json, text };
  }
  if (status >= 500) return { is: "unknown", code: `http-${status}` };
  const error = errorValue(kind, json ?? null, status);
  if (error !== undefined && (kind.finalErrors ?? FINAL_ERRORS).includes(error)) {
    return { is: "refused", code: error };
  }
  // Kept in records and shown in errors: only what has the form of an error value, never an echo of what was sent.
  const isErrorValue = error !== undefined && error.length <= 40 && /^[a-z]+([_-][a-z]+)*$/.test(error);
  return { is: "deferred", code: isErrorValue ? error : `http-${status}` };
}

/** Reads an answer that was sealed. */
export function parseAnswer(text: string): JsonValue {
  return parseJsonText(text, { maxDepth: MAX_DEPTH });
}

/** A kind that cannot read an error has found none: the attempt is only put off. */
function errorValue<C, V>(kind: CredentialKind<C, V>, json: JsonValue, status: number): string | undefined {
  try {
    return (kind.errorOf ?? errorMember)(json, status);
  } catch {
    return undefined;
  }
}

function errorMember(answer: JsonValue): string | undefined {
  if (typeof answer !== "object" || answer === null || !Object.hasOwn(answer, "error")) return undefined;
  const { error } = answer as { error?: JsonValue };
  return typeof error === "string" ? error : undefined;
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseAnswer(text);
  } catch {
    return undefined; // Cut, compressed or not text: it cannot be read, which is all there is to say.
  }
}
