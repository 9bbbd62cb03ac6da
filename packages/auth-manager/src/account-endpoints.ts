import { AuthManagerError } from "./errors.ts";

/** Where the account's authorization server answers. Only `issuer` has to be given; the rest follows from it. */
export interface AccountEndpointOptions {
  /** Base address, for example `https://auth.example.com`. https, or http on loopback. */
  readonly issuer: string | URL;
  /** Refreshes go here and nowhere else. @defaultValue `{issuer}/oauth/token` */
  readonly tokenUrl?: string | URL | undefined;
  /** @defaultValue beside `tokenUrl`: its origin with the path `/oauth/revoke` */
  readonly revokeUrl?: string | URL | undefined;
  /** The browser is sent here. @defaultValue `{issuer}/oauth/authorize` */
  readonly authorizeUrl?: string | URL | undefined;
  /** Codes are exchanged here. @defaultValue `{issuer}/oauth/token` */
  readonly loginTokenUrl?: string | URL | undefined;
  /** @defaultValue `{issuer}/api/accounts/deviceauth/usercode` */
  readonly deviceUserCodeUrl?: string | URL | undefined;
  /** @defaultValue `{issuer}/api/accounts/deviceauth/token` */
  readonly deviceTokenUrl?: string | URL | undefined;
  /** Where a person types the code. @defaultValue `{issuer}/codex/device` */
  readonly deviceVerificationUrl?: string | URL | undefined;
}

export interface AccountEndpoints {
  /** Without a trailing slash, as it is written into auth.json. */
  readonly issuer: string;
  readonly tokenUrl: URL;
  readonly revokeUrl: URL;
  readonly authorizeUrl: URL;
  readonly loginTokenUrl: URL;
  readonly deviceUserCodeUrl: URL;
  readonly deviceTokenUrl: URL;
  readonly deviceVerificationUrl: URL;
  readonly deviceRedirectUri: string;
}

/** Fills in what follows from the issuer. Throws `ERR_AUTH_MANAGER_OPTIONS` for an address that is not safe to use. */
export function accountEndpoints(options: AccountEndpointOptions): AccountEndpoints {
  const issuer = safeUrl(options.issuer, "issuer").href.replace(/\/+$/, "");
  const at = (name: keyof AccountEndpointOptions, path: string) =>
    safeUrl(options[name] ?? issuer + path, name);
  const tokenUrl = at("tokenUrl", "/oauth/token");
  return Object.freeze({
    issuer,
    tokenUrl,
    revokeUrl: safeUrl(options.revokeUrl ?? new URL("/oauth/revoke", tokenUrl), "revokeUrl"),
    authorizeUrl: at("authorizeUrl", "/oauth/authorize"),
    loginTokenUrl: at("loginTokenUrl", "/oauth/token"),
    deviceUserCodeUrl: at("deviceUserCodeUrl", "/api/accounts/deviceauth/usercode"),
    deviceTokenUrl: at("deviceTokenUrl", "/api/accounts/deviceauth/token"),
    deviceVerificationUrl: at("deviceVerificationUrl", "/codex/device"),
    deviceRedirectUri: `${issuer}/deviceauth/callback`,
  });
}

const loopback = new Set(["127.0.0.1", "[::1]", "localhost"]);

function safeUrl(value: string | URL, name: string): URL {
  const url = URL.parse(String(value)) ?? undefined;
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && loopback.has(url.hostname));
  // A secret sent over plain http, or an address with one in it, would leave this process readable.
  if (url === undefined || !safe || url.username !== "" || url.password !== "" || url.hash !== "") {
    throw new AuthManagerError(
      "ERR_AUTH_MANAGER_OPTIONS",
      `The ${name} must be an https address (http on loopback), without credentials and fragment.`,
    );
  }
  return url;
}
