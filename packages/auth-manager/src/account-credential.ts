import type { JsonObject, JsonValue } from "@hawser/oauth-store";
import { z } from "zod";
import { type JwtClaims, readJwtClaims } from "./jwt-claims.ts";

/**
 * `none`: the file holds no login. `unsupported`: it holds one of a kind this package does not speak, which is kept
 * as it is.
 */
export type CredentialMethod = "apikey" | "chatgpt" | "unsupported" | "none";

/** What a login brings. */
export interface LoginTokens {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Who issued a login, and to which client: written down so that a refresh token is never shown to another. */
export interface Provenance {
  readonly issuer: string;
  readonly clientId: string;
}

interface Tokens {
  readonly idToken: string | undefined;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly accountId: string | undefined;
  readonly provenance: Provenance | undefined;
  readonly ownerId: string | undefined;
}

const optionalText = z.string().nullish().catch(undefined);

/** Strict about what is acted on, tolerant of everything else. */
const storedSchema = z.object({
  auth_mode: z.string().nullish(),
  OPENAI_API_KEY: z.string().nullish(),
  tokens: z
    .object({
      id_token: optionalText,
      access_token: z.string().nullish(),
      refresh_token: z.string().nullish(),
      account_id: z.string().nullish(),
      oauth_provenance: z.object({ issuer: z.string(), client_id: z.string() }).nullish().catch(undefined),
      login_owner_id: optionalText,
    })
    .nullish(),
  last_refresh: optionalText,
  personal_access_token: z.unknown().optional(),
  bedrock_api_key: z.unknown().optional(),
});

/**
 * `auth.json` as one immutable value. Every secret is in a private field: nothing prints it. Unknown fields stay with
 * it and are written back.
 */
export class AccountCredential {
  readonly method: CredentialMethod;
  /** Wall clock, milliseconds; 0 marks an access token that must not be sent. */
  readonly lastRefreshMs: number | undefined;
  readonly #apiKey: string | undefined;
  readonly #tokens: Tokens | undefined;
  readonly #stored: JsonObject;
  readonly #idClaims: JwtClaims | undefined;
  readonly #accessClaims: JwtClaims | undefined;

  private constructor(fields: {
    method: CredentialMethod;
    apiKey: string | undefined;
    tokens: Tokens | undefined;
    lastRefreshMs: number | undefined;
    stored: JsonObject;
  }) {
    this.method = fields.method;
    this.lastRefreshMs = fields.lastRefreshMs;
    this.#apiKey = fields.apiKey;
    this.#tokens = fields.tokens;
    this.#stored = fields.stored;
    this.#idClaims = readJwtClaims(fields.tokens?.idToken ?? "");
    this.#accessClaims = readJwtClaims(fields.tokens?.accessToken ?? "");
  }

  /** Undefined for what is not an `auth.json`. */
  static parse(stored: JsonValue): AccountCredential | undefined {
    const parsed = storedSchema.safeParse(stored);
    if (!parsed.success || !isObject(stored)) return undefined;
    const { OPENAI_API_KEY: apiKey, tokens, last_refresh: lastRefresh } = parsed.data;
    const refreshedAtMs = Date.parse(lastRefresh ?? "");
    return new AccountCredential({
      method: methodOf(parsed.data),
      apiKey: apiKey || undefined,
      tokens: tokens
        ? {
            idToken: tokens.id_token || undefined,
            accessToken: tokens.access_token ?? "",
            refreshToken: tokens.refresh_token || undefined,
            accountId: tokens.account_id || undefined,
            provenance: tokens.oauth_provenance
              ? { issuer: tokens.oauth_provenance.issuer, clientId: tokens.oauth_provenance.client_id }
              : undefined,
            ownerId: tokens.login_owner_id || undefined,
          }
        : undefined,
      lastRefreshMs: Number.isNaN(refreshedAtMs) ? undefined : refreshedAtMs,
      stored,
    });
  }

  static fromApiKey(apiKey: string): AccountCredential {
    return new AccountCredential({
      method: "apikey",
      apiKey,
      tokens: undefined,
      lastRefreshMs: undefined,
      stored: {},
    });
  }

  /** A new login. `ownerId` tells two logins of one account apart. */
  static fromLogin(
    login: LoginTokens,
    by: { provenance: Provenance; ownerId: string; receivedAtMs: number },
  ): AccountCredential {
    return new AccountCredential({
      method: "chatgpt",
      apiKey: undefined,
      tokens: {
        ...login,
        accountId: (readJwtClaims(login.idToken) ?? readJwtClaims(login.accessToken))?.accountId,
        provenance: by.provenance,
        ownerId: by.ownerId,
      },
      lastRefreshMs: by.receivedAtMs,
      stored: {},
    });
  }

  /** What to send as bearer: the access token or the API key. */
  get bearer(): string | undefined {
    const bearer = this.method === "apikey" ? this.#apiKey : this.#managed?.accessToken;
    return bearer || undefined;
  }

  get refreshToken(): string | undefined {
    return this.#managed?.refreshToken;
  }

  get accountId(): string | undefined {
    return this.#managed?.accountId ?? this.claims?.accountId ?? this.accessClaims?.accountId;
  }

  get provenance(): Provenance | undefined {
    return this.#managed?.provenance;
  }

  /** Claims of the id token. */
  get claims(): JwtClaims | undefined {
    return this.method === "chatgpt" ? this.#idClaims : undefined;
  }

  /** Claims of the access token; undefined when it is opaque. */
  get accessClaims(): JwtClaims | undefined {
    return this.method === "chatgpt" ? this.#accessClaims : undefined;
  }

  /** The same login with what a refresh brought; what it omitted stays. */
  refreshed(tokens: Partial<LoginTokens>, lastRefreshMs: number): AccountCredential {
    const before = this.#tokens;
    return new AccountCredential({
      method: this.method,
      apiKey: this.#apiKey,
      tokens: {
        idToken: tokens.idToken ?? before?.idToken,
        accessToken: tokens.accessToken ?? before?.accessToken ?? "",
        refreshToken: tokens.refreshToken ?? before?.refreshToken,
        accountId: before?.accountId,
        provenance: before?.provenance,
        ownerId: before?.ownerId,
      },
      lastRefreshMs,
      stored: this.#stored,
    });
  }

  /** The entry to store, keys in the format's order. Fields this package does not know come from `previous`. */
  toStored(previous?: JsonValue): JsonObject {
    if (this.method === "unsupported" || this.method === "none") return this.#stored;
    const base = isObject(previous) ? previous : this.#stored;
    if (this.method === "apikey") {
      return { auth_mode: "apikey", OPENAI_API_KEY: this.#apiKey ?? null, ...without(base, topFields) };
    }
    const { idToken, accessToken, refreshToken, accountId, provenance, ownerId } =
      this.#tokens ?? emptyTokens;
    const unknownTokens = isObject(base["tokens"]) ? without(base["tokens"], tokenFields) : {};
    return {
      auth_mode: "chatgpt",
      OPENAI_API_KEY: this.#apiKey ?? null,
      tokens: {
        ...(idToken === undefined ? {} : { id_token: idToken }),
        access_token: accessToken,
        ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
        ...(accountId === undefined ? {} : { account_id: accountId }),
        ...(provenance === undefined
          ? {}
          : { oauth_provenance: { issuer: provenance.issuer, client_id: provenance.clientId } }),
        ...(ownerId === undefined ? {} : { login_owner_id: ownerId }),
        ...unknownTokens,
      },
      ...(this.lastRefreshMs === undefined
        ? {}
        : { last_refresh: new Date(this.lastRefreshMs).toISOString() }),
      ...without(base, topFields),
    };
  }

  get #managed(): Tokens | undefined {
    return this.method === "chatgpt" ? this.#tokens : undefined;
  }
}

const topFields = new Set(["auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh"]);
const tokenFields = new Set([
  "id_token",
  "access_token",
  "refresh_token",
  "account_id",
  "oauth_provenance",
  "login_owner_id",
]);
const emptyTokens: Tokens = {
  idToken: undefined,
  accessToken: "",
  refreshToken: undefined,
  accountId: undefined,
  provenance: undefined,
  ownerId: undefined,
};

function methodOf(stored: z.infer<typeof storedSchema>): CredentialMethod {
  const hasKey = Boolean(stored.OPENAI_API_KEY);
  const hasTokens = Boolean(stored.tokens?.access_token || stored.tokens?.refresh_token);
  switch (stored.auth_mode ?? undefined) {
    case "apikey":
      return hasKey ? "apikey" : "none";
    case "chatgpt":
      return hasTokens ? "chatgpt" : "none";
    case undefined:
      // A file without a mode says it by what it holds, in this order.
      if (stored.personal_access_token != null || stored.bedrock_api_key != null) return "unsupported";
      if (hasKey) return "apikey";
      return hasTokens ? "chatgpt" : "none";
    default:
      return "unsupported";
  }
}

/** Own entries only, through `Object.fromEntries`, so that a field called `__proto__` stays a field. */
function without(value: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
