/** JSON as it stands in a store. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object as it stands in a store. */
export interface JsonObject {
  /** Its members. */
  readonly [name: string]: JsonValue | undefined;
}

/** When a credential was received and how long it was said to last; unknown for a credential somebody else wrote. */
export interface CredentialAge {
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly receivedAtMs?: number | undefined;
  /** From its receipt. 0 never comes here: such a token is not to be sent, and the kind is not asked. */
  readonly lifetimeMs?: number | undefined;
}

/**
 * `no`: use it. `soon`: still valid, refresh in the background. `first`: still valid, but a refresh is waited for, 5 s
 * at most; used after all when none can be had now. `now`: do not send it.
 */
export type RefreshNeed = "no" | "soon" | "first" | "now";

/** What the kind makes of an answer of the authorization server that carried a 2xx status. */
export type AnswerVerdict =
  /** Everything needed is there. */
  | { readonly outcome: "usable"; readonly lifetimeMs?: number | undefined }
  /** The new refresh token is good, the rest is not: it is kept, and the access token marked expired. */
  | { readonly outcome: "refresh-token-only"; readonly code: string }
  /** Neither an access token nor a refresh token could be read. */
  | { readonly outcome: "unusable"; readonly code: string }
  /** The answer belongs to somebody else: it stays sealed and is not installed. */
  | { readonly outcome: "wrong-account" };

/**
 * Everything the engine has to know of a kind of credential `C`. `V` is what callers see of it: the access
 * token and what goes with it, never the refresh token.
 */
export interface CredentialKind<C, V> {
  /** For diagnosis: `"mcp"`, `"account"`. */
  readonly name: string;
  /** Reads a stored entry. Throws for one it cannot use; what it throws is not shown. */
  parse(stored: JsonValue): C;
  /** The stored entry, unknown fields of `previous` kept. */
  serialize(credential: C, previous?: JsonValue): JsonValue;
  /** What callers get: nothing to refresh with. */
  view(credential: C): V;
  /** The refresh token, or undefined when there is nothing to spend. */
  spendable(credential: C): string | undefined;
  /** The access token as it is sent, for foreign ways in that know only the string. */
  bearer(credential: C): string | undefined;
  /** How urgent a refresh is. Pure: it is asked at every use. */
  needsRefresh(credential: C, age: CredentialAge): RefreshNeed;
  /** How long a credential that was received at that time lasts; asked at login. @defaultValue unknown */
  lifetimeMs?(credential: C, receivedAtMs: number): number | undefined;
  /** Same issuer, client and account: an operation prepared for one may be sent with the other. */
  sameOwner(a: C, b: C): boolean;
  /** Client the credential was issued to; a refusal for another client does not count. */
  client(credential: C): string | undefined;
  /** The authorization server that issued it; a refusal by another does not count. */
  issuer(credential: C): string | undefined;
  /** Reads a 2xx answer. `answer` is parsed JSON, depth-limited. */
  validate(previous: C, answer: JsonValue): AnswerVerdict;
  /** The refresh token in an answer, or undefined when it is omitted. */
  successorOf(answer: JsonValue): string | undefined;
  /** The credential that follows. `expired` marks the access token as not to be sent. */
  merge(previous: C, answer: JsonValue, at: { receivedAtMs: number; expired: boolean }): C;
  /**
   * `error` values of the authorization server that end this refresh token.
   * @defaultValue ["invalid_grant", "invalid_client"]
   */
  readonly finalErrors?: readonly string[] | undefined;
  /**
   * The error value in an answer that is not 2xx; `answer` is null when it is not JSON. Not asked for a 5xx.
   * @defaultValue the string member `error`
   */
  errorOf?: ((answer: JsonValue, status: number) => string | undefined) | undefined;
}
