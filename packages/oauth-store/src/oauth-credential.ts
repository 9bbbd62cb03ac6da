import { z } from "zod";
import type {
  AnswerVerdict,
  CredentialAge,
  CredentialKind,
  JsonValue,
  RefreshNeed,
} from "./credential-kind.ts";
import { CredentialError } from "./errors.ts";

/** The login at one server, as the aggregate file keeps it. */
export interface OAuthCredential {
  /** What the user calls the server; with the URL it makes the store key. */
  readonly serverName: string;
  /** As it was written in the configuration. */
  readonly serverUrl: string;
  /** The authorization server's issuer identifier; with client and server URL it tells owners apart. */
  readonly issuer?: string | undefined;
  /** The client the tokens were issued to. */
  readonly clientId: string;
  /** A blank one is never sent. */
  readonly accessToken: string;
  /** Milliseconds since the epoch; unknown when absent. */
  readonly expiresAtMs?: number | undefined;
  /** Absent or blank: the login ends with its access token. */
  readonly refreshToken?: string | undefined;
  /** Those that were granted; kept when a refresh names none. */
  readonly scopes: readonly string[];
}

/** What callers see: enough to send something, nothing to refresh with. Not shown by inspection or JSON. */
export interface OAuthView {
  /** What to send as the bearer. */
  readonly accessToken: string;
  /** Those that were granted. */
  readonly scopes: readonly string[];
}

const ACCOUNTED_WINDOW_MS = 30_000;
const BACKGROUND_WINDOW_MS = 300_000;
const MAX_LIFETIME_S = 10 * 365 * 86_400;

const entrySchema = z.looseObject({
  server_name: z.string(),
  server_url: z.string(),
  issuer: z.string().nullish(),
  client_id: z.string(),
  access_token: z.string(),
  expires_at: z.number().finite().nullish(),
  refresh_token: z.string().nullish(),
  scopes: z.array(z.string()).nullish(),
});

/**
 * The kind of an OAuth credential. Inside the last 300 s of its life a refresh happens in the background; inside the
 * last 30 s it is waited for, 5 s at most while the token is valid. Of a life as short as a window, the second half
 * counts. A token without a known end is not refreshed for expiry.
 */
export const oauthCredential: CredentialKind<OAuthCredential, OAuthView> = Object.freeze({
  name: "oauth",
  parse,
  serialize,
  view: (credential: OAuthCredential): OAuthView => new AccessView(credential.accessToken, credential.scopes),
  spendable: (credential: OAuthCredential): string | undefined => nonBlank(credential.refreshToken),
  bearer: (credential: OAuthCredential): string | undefined => nonBlank(credential.accessToken),
  needsRefresh,
  lifetimeMs: (credential: OAuthCredential, receivedAtMs: number): number | undefined =>
    credential.expiresAtMs === undefined ? undefined : Math.max(1, credential.expiresAtMs - receivedAtMs),
  sameOwner: (a: OAuthCredential, b: OAuthCredential): boolean =>
    a.issuer === b.issuer && a.clientId === b.clientId && a.serverUrl === b.serverUrl,
  client: (credential: OAuthCredential): string | undefined => credential.clientId,
  issuer: (credential: OAuthCredential): string | undefined => credential.issuer,
  validate,
  successorOf: (answer: JsonValue): string | undefined => nonBlank(member(answer, "refresh_token")),
  merge,
});

function parse(stored: JsonValue): OAuthCredential {
  const entry = entrySchema.safeParse(stored);
  // The issues of a failed parse name fields only; they are dropped all the same.
  if (!entry.success)
    throw new CredentialError("ERR_OAUTH_STORE_CORRUPT", "a stored credential is not usable");
  const { data } = entry;
  return Object.freeze({
    serverName: data.server_name,
    serverUrl: data.server_url,
    issuer: data.issuer ?? undefined,
    clientId: data.client_id,
    accessToken: data.access_token,
    expiresAtMs: data.expires_at ?? undefined,
    refreshToken: data.refresh_token ?? undefined,
    scopes: Object.freeze([...(data.scopes ?? [])]),
  });
}

function serialize(credential: OAuthCredential, previous?: JsonValue): JsonValue {
  const known = new Map<string, JsonValue | undefined>([
    ["server_name", credential.serverName],
    ["server_url", credential.serverUrl],
    ["issuer", credential.issuer],
    ["client_id", credential.clientId],
    ["access_token", credential.accessToken],
    ["expires_at", credential.expiresAtMs ?? null],
    ["refresh_token", credential.refreshToken ?? null],
    ["scopes", [...credential.scopes]],
  ]);
  const unknown =
    typeof previous === "object" && previous !== null && !Array.isArray(previous)
      ? Object.entries(previous).filter(([name]) => !known.has(name))
      : [];
  // Object.fromEntries defines own members, so a member named `__proto__` stays one.
  return Object.fromEntries([...[...known].filter(([, value]) => value !== undefined), ...unknown]);
}

function needsRefresh(credential: OAuthCredential, age: CredentialAge): RefreshNeed {
  if (nonBlank(credential.accessToken) === undefined) return "now";
  const { receivedAtMs, lifetimeMs } = age;
  const anchored = receivedAtMs !== undefined && lifetimeMs !== undefined;
  const expiresAtMs = anchored ? receivedAtMs + lifetimeMs : credential.expiresAtMs;
  if (expiresAtMs === undefined) return "no";
  const leftMs = expiresAtMs - age.nowMs;
  if (leftMs <= 0) return "now";
  // A window as long as the life would mean a refresh at every use.
  const isShort = lifetimeMs !== undefined && lifetimeMs <= ACCOUNTED_WINDOW_MS;
  if (leftMs <= (isShort ? lifetimeMs / 2 : ACCOUNTED_WINDOW_MS)) return "first";
  const backgroundMs = Math.min(BACKGROUND_WINDOW_MS, (lifetimeMs ?? Number.POSITIVE_INFINITY) / 2);
  return leftMs <= backgroundMs ? "soon" : "no";
}

function validate(_previous: OAuthCredential, answer: JsonValue): AnswerVerdict {
  const successor = nonBlank(member(answer, "refresh_token"));
  const bad = (code: string): AnswerVerdict =>
    successor === undefined ? { outcome: "unusable", code } : { outcome: "refresh-token-only", code };
  if (nonBlank(member(answer, "access_token")) === undefined) return bad("no-access-token");
  const type = member(answer, "token_type");
  if (type !== undefined && (typeof type !== "string" || type.toLowerCase() !== "bearer"))
    return bad("token-type");
  const lifetimeS = lifetimeSeconds(answer);
  if (lifetimeS === "bad") return bad("lifetime");
  return { outcome: "usable", lifetimeMs: lifetimeS === undefined ? undefined : lifetimeS * 1000 };
}

function merge(
  previous: OAuthCredential,
  answer: JsonValue,
  at: { receivedAtMs: number; expired: boolean },
): OAuthCredential {
  const refreshToken = nonBlank(member(answer, "refresh_token")) ?? previous.refreshToken;
  if (at.expired) return Object.freeze({ ...previous, refreshToken, expiresAtMs: at.receivedAtMs });
  const lifetimeS = lifetimeSeconds(answer);
  const scope = member(answer, "scope");
  return Object.freeze({
    ...previous,
    accessToken: nonBlank(member(answer, "access_token")) ?? previous.accessToken,
    refreshToken,
    // An omitted lifetime is unknown; the old time would be wrong.
    expiresAtMs: typeof lifetimeS === "number" ? at.receivedAtMs + lifetimeS * 1000 : undefined,
    scopes: typeof scope === "string" && scope.trim() !== "" ? scope.trim().split(/\s+/) : previous.scopes,
  });
}

/** `expires_in` in seconds; also a numeric string. `"bad"` for what is there and not 1 s to 10 years. */
function lifetimeSeconds(answer: JsonValue): number | undefined | "bad" {
  const raw = member(answer, "expires_in");
  if (raw === undefined || raw === null) return undefined;
  const seconds = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
  if (typeof seconds !== "number" || !(seconds >= 1 && seconds <= MAX_LIFETIME_S)) return "bad";
  return seconds;
}

function member(answer: JsonValue, name: string): JsonValue | undefined {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return undefined;
  return Object.hasOwn(answer, name) ? (answer as Record<string, JsonValue>)[name] : undefined;
}

function nonBlank(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

class AccessView implements OAuthView {
  readonly scopes: readonly string[];
  readonly #accessToken: string;

  constructor(accessToken: string, scopes: readonly string[]) {
    this.#accessToken = accessToken;
    this.scopes = scopes;
    Object.freeze(this);
  }

  get accessToken(): string {
    return this.#accessToken;
  }
}
