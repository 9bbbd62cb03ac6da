import type { RefusalReason } from "./errors.ts";

/** What a refused or failed refresh means for the login. */
export interface RefreshFailure {
  /** The authorization server ended the login: only a new one helps. */
  readonly permanent: boolean;
  readonly reason?: RefusalReason | undefined;
  /** The server's own error value in lower case, when it gave one. */
  readonly serverCode?: string | undefined;
  /** One sentence for a person, with no text of the server in it. */
  readonly message: string;
}

/** Error values of the token endpoint that end a login whatever the status. */
const finalCodes: ReadonlyMap<string, RefusalReason> = new Map<string, RefusalReason>([
  ["refresh_token_expired", "expired"],
  ["refresh_token_reused", "reused"],
  ["refresh_token_invalidated", "revoked"],
  ["app_session_terminated", "other"],
  ["invalid_grant", "other"],
  ["invalid_client", "other"],
]);

/** Stands for a 401 whose error value is not in the table. */
export const unknownUnauthorized = "unauthorized";

/** What the credential engine takes for the server's last word. */
export const finalErrors: readonly string[] = [...finalCodes.keys(), unknownUnauthorized];

const messages: Readonly<Record<RefusalReason, string>> = {
  expired: "The login has ended because its refresh token expired. Log in again.",
  reused: "The login has ended because its refresh token was already used elsewhere. Log in again.",
  revoked: "The login has ended because it was revoked. Log in again.",
  other: "The login could not be refreshed. Log in again.",
};

/** The sentence for a login that ended for this reason. */
export function refusalMessage(reason: RefusalReason): string {
  return messages[reason];
}

/** The reason behind an error value that ended a login. */
export function refusalReason(serverCode: string | undefined): RefusalReason {
  return finalCodes.get(serverCode ?? "") ?? "other";
}

/**
 * Judges a refresh that brought no credential. `body` is the parsed JSON of the answer, undefined when it was not
 * JSON; without `status` nothing was answered.
 *
 * Permanent is only what the server said in so many words: a listed error value with any status below 500, or any
 * error value with a 401. A 401 without one may come from something in between and is transient, like 403, 429, 5xx,
 * a timeout or a closed socket.
 */
export function classifyRefreshFailure(answer: {
  readonly status?: number | undefined;
  readonly body?: unknown;
}): RefreshFailure {
  const { status, body } = answer;
  const serverCode = serverCodeOf(body);
  if (status !== undefined && status < 500 && serverCode !== undefined) {
    const reason = finalCodes.get(serverCode) ?? (status === 401 ? "other" : undefined);
    if (reason !== undefined) return { permanent: true, reason, serverCode, message: messages[reason] };
  }
  const message =
    status === undefined
      ? "The refresh got no answer; it will be tried again."
      : `The refresh was answered with status ${status}; it will be tried again.`;
  return { permanent: false, serverCode, message };
}

/** `error.code`, else `error`, else `code`, in lower case. */
export function serverCodeOf(body: unknown): string | undefined {
  const error = member(body, "error");
  const found = [member(error, "code"), error, member(body, "code")].find(
    (value): value is string => typeof value === "string" && value !== "",
  );
  // A server's text ends up in records and errors: only what looks like a code passes.
  return found !== undefined && /^[\w.:-]{1,64}$/.test(found) ? found.toLowerCase() : undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
