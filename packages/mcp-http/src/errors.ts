export type McpHttpErrorCode =
  | "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED" // no login that the server accepts: log in
  | "ERR_MCP_HTTP_TOKEN_EXPIRED" // the token was replaced, this message was not repeated: call again
  | "ERR_MCP_HTTP_INSUFFICIENT_SCOPE" // the login lacks a scope: log in with it
  | "ERR_MCP_HTTP_SESSION_EXPIRED" // the server dropped the session and it could not be renewed for this call
  | "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE" // the credential cannot be had right now; the login is kept
  | "ERR_MCP_HTTP_TIMEOUT" // the deadline passed first
  | "ERR_MCP_HTTP_ABORTED" // the caller gave up
  | "ERR_MCP_HTTP_CLOSED" // the client was closed
  | "ERR_MCP_HTTP_STREAM_ENDED" // the answer's stream ended before the answer
  | "ERR_MCP_HTTP_STATUS" // the server answered a status that means failure
  | "ERR_MCP_HTTP_DISCOVERY" // the authorization server could not be found or contradicts itself
  | "ERR_MCP_HTTP_UNSUPPORTED" // the authorization server lacks something this client insists on
  | "ERR_MCP_HTTP_LOGIN_FAILED" // the authorization server refused the login
  | "ERR_MCP_HTTP_LOGIN_CANCELLED" // the login was given up
  | "ERR_MCP_HTTP_LOGIN_TIMEOUT" // nobody finished the login in time
  | "ERR_MCP_HTTP_OPTIONS"; // an option cannot work

export interface McpHttpErrorDetails {
  readonly retry?: "never" | "now" | "after" | undefined;
  /** Wall clock, milliseconds since the epoch. */
  readonly retryAtMs?: number | undefined;
  /** A machine-readable "why": the code of the error beneath, or an OAuth `error` value. */
  readonly reason?: string | undefined;
  readonly status?: number | undefined;
  /** The scope the server asks for. Chosen by the server: show it before asking for it. */
  readonly scope?: string | undefined;
  /** `WWW-Authenticate` as the server sent it, at most 16 KiB. */
  readonly challenge?: string | undefined;
}

/**
 * Everything this package throws of its own. Never holds a token, and has no `cause`: foreign errors on the token
 * path hold tokens.
 */
export class McpHttpError extends Error {
  override readonly name = "McpHttpError";
  readonly code: McpHttpErrorCode;
  readonly retry: "never" | "now" | "after";
  readonly retryAtMs: number | undefined;
  readonly reason: string | undefined;
  readonly status: number | undefined;
  readonly scope: string | undefined;
  readonly challenge: string | undefined;

  constructor(code: McpHttpErrorCode, message: string, details: McpHttpErrorDetails = {}) {
    super(message);
    this.code = code;
    this.retry = details.retry ?? "never";
    this.retryAtMs = details.retryAtMs;
    this.reason = details.reason;
    this.status = details.status;
    this.scope = details.scope;
    this.challenge = details.challenge;
    // The official client's version probe tells an authorization outcome from a broken server by this mark.
    if (authorizationCodes.has(code)) Object.defineProperty(this, authSeamMark, { value: true });
  }
}

const authSeamMark = Symbol.for("mcp.authSeamEscape");

const authorizationCodes: ReadonlySet<McpHttpErrorCode> = new Set([
  "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED",
  "ERR_MCP_HTTP_TOKEN_EXPIRED",
  "ERR_MCP_HTTP_INSUFFICIENT_SCOPE",
  "ERR_MCP_HTTP_CREDENTIAL_UNAVAILABLE",
] satisfies McpHttpErrorCode[]);

/** Whether `error` is one of ours, whichever installed copy made it; with `code`, whether it is that one. */
export function isMcpHttpError(error: unknown, code?: McpHttpErrorCode): error is McpHttpError {
  if (!(error instanceof Error) || error.name !== "McpHttpError") return false;
  const actual = (error as { code?: unknown }).code;
  return typeof actual === "string" && (code === undefined || actual === code);
}
