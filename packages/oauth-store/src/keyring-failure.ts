import { CredentialError, type CredentialErrorCode, isCredentialError } from "./errors.ts";

type Sign = readonly [pattern: RegExp, code: CredentialErrorCode, reason: string];

const UNAVAILABLE = "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE";

/** What the texts of the platforms come down to; the texts themselves go no further. */
const SIGNS: readonly Sign[] = [
  [/prompt was dismissed/i, "ERR_OAUTH_STORE_KEYRING_LOCKED", "prompt-dismissed"],
  [/interaction is not allowed/i, "ERR_OAUTH_STORE_KEYRING_LOCKED", "no-interaction"],
  [/\block(ed)?\b/i, "ERR_OAUTH_STORE_KEYRING_LOCKED", "locked"],
  [/longer than|too long|size limit|1783\b/i, "ERR_OAUTH_STORE_TOO_LARGE", "platform-limit"],
  [/DBUS_SESSION_BUS_ADDRESS|autolaunch|failed to connect to socket/i, UNAVAILABLE, "no-bus"],
  [/not provided by any|ServiceUnknown|no secret service/i, UNAVAILABLE, "no-service"],
  [/no result found|no such collection/i, UNAVAILABLE, "no-collection"],
  [/did not receive a reply|timed? ?out|NoReply/i, UNAVAILABLE, "no-answer"],
  [/multiple credentials|ambiguous/i, UNAVAILABLE, "ambiguous"],
];

const SENTENCES: Partial<Record<CredentialErrorCode, string>> = {
  ERR_OAUTH_STORE_KEYRING_LOCKED: "the keyring is locked, and nobody unlocked it",
  ERR_OAUTH_STORE_TOO_LARGE: "the credential is larger than what the keyring keeps in one entry",
  ERR_OAUTH_STORE_KEYRING_UNAVAILABLE: "the keyring could not be used",
};

/**
 * What a failure says when there is no keyring here, or none that could hold anything: entries are searched for in all
 * collections before the default one is missed. Behind every other failure an entry may be.
 */
const NOTHING_THERE: ReadonlySet<string | undefined> = new Set(["no-bus", "no-service", "no-collection"]);

export function isKeyringAbsent({ code, reason }: CredentialError): boolean {
  return code === UNAVAILABLE && NOTHING_THERE.has(reason);
}

/** Tells a locked keyring from one that is not there. The platform's own words are dropped: they are not ours. */
export function keyringFailure(error: unknown): CredentialError {
  if (isCredentialError(error)) return error as CredentialError;
  const text = error instanceof Error ? error.message : "";
  const sign = SIGNS.find(([pattern]) => pattern.test(text));
  const [, code, reason] = sign ?? [undefined, UNAVAILABLE, "platform"];
  return new CredentialError(code, `${SENTENCES[code]} (${reason})`, { reason });
}
