import { McpHttpError } from "./errors.ts";

/**
 * What a credential's failure means to somebody who calls a server: only the authorization server's word, or the
 * lack of anything to spend, asks for a new login. Everything else keeps the login and says when to come back.
 * The cause is dropped; its code is kept as `reason`.
 */
export function credentialFailure(error: unknown, challenge?: string): McpHttpError {
  const { code, retry, retryAtMs } = facts(error);
  if (code !== undefined && loginEnded.has(code)) {
    return new McpHttpError("ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", "the server wants a new login", {
      reason: code,
      challenge,
    });
  }
  const text = `the login is kept, but its token cannot be had now (${code ?? "unknown reason"})`;
  return new McpHttpError("ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE", text, { reason: code, retry, retryAtMs });
}

/** Whether nobody is logged in here, as opposed to a login that has ended. */
export function isAuthorizationRequired(error: unknown): boolean {
  return facts(error).code === "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED";
}

const loginEnded: ReadonlySet<string> = new Set([
  "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
  "ERR_OAUTH_STORE_REFUSED",
  "ERR_OAUTH_STORE_INTERRUPTED",
  "ERR_OAUTH_STORE_SUPERSEDED",
  "ERR_OAUTH_STORE_WRONG_OWNER",
]);

interface Facts {
  readonly code?: string;
  readonly retry: "never" | "now" | "after";
  readonly retryAtMs?: number;
}

function facts(error: unknown): Facts {
  if (typeof error !== "object" || error === null) return { retry: "never" };
  const { code, retry, retryAtMs } = error as { code?: unknown; retry?: unknown; retryAtMs?: unknown };
  return {
    ...(typeof code === "string" ? { code } : {}),
    retry: retry === "now" || retry === "after" ? retry : "never",
    ...(typeof retryAtMs === "number" ? { retryAtMs } : {}),
  };
}
