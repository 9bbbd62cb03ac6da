import type { HeaderPairs } from "./header-pairs.ts";
import { shouldRetryHint } from "./retry-after.ts";

/** Why something did not work: a status, or an error. */
export type RetryFault =
  | { readonly kind: "status"; readonly status: number; readonly headers: HeaderPairs }
  | { readonly kind: "error"; readonly error: unknown };

/**
 * `permanent` and `auth` are never repeated: the same thing fails the same way, or somebody else must act first.
 * `throttle` was refused for now, `transient` failed on the other side, `connection` got no answer.
 */
export type RetryClass = "permanent" | "auth" | "throttle" | "transient" | "connection";

/** What an error may say about itself: every room's errors do. */
interface SelfDescribed {
  readonly retry: "never" | "now" | "after";
  readonly retryAtMs?: number | undefined;
}

/** Node's and undici's codes for a connection that was not made, or broke before the answer. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_SOCKET",
]);

const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425]);
const PERMANENT_5XX: ReadonlySet<number> = new Set([501, 505, 511]);

export function classifyFault(fault: RetryFault): RetryClass {
  return fault.kind === "status" ? classifyResponse(fault) : classifyError(fault.error);
}

/** When an error says it is of use again; milliseconds since the epoch. */
export function errorRetryAtMs(error: unknown): number | undefined {
  const atMs = isSelfDescribed(error) ? error.retryAtMs : undefined;
  return typeof atMs === "number" && Number.isFinite(atMs) ? atMs : undefined;
}

function classifyResponse(fault: { readonly status: number; readonly headers: HeaderPairs }): RetryClass {
  const hint = shouldRetryHint(fault.headers);
  if (hint !== undefined && fault.status >= 400) return hint ? "transient" : "permanent";
  return classifyStatus(fault.status);
}

function classifyStatus(status: number): RetryClass {
  if (status === 401 || status === 403 || status === 407) return "auth";
  if (status === 429) return "throttle";
  if (TRANSIENT_STATUSES.has(status)) return "transient";
  return status >= 500 && !PERMANENT_5XX.has(status) ? "transient" : "permanent";
}

/**
 * An error is asked first; one that does not know is judged by its status and its code; anything else is a mistake,
 * not a fault.
 */
function classifyError(error: unknown): RetryClass {
  const status = errorStatus(error);
  const byStatus = status === undefined ? undefined : classifyStatus(status);
  if (isSelfDescribed(error)) {
    if (error.retry === "never") return byStatus === "auth" ? "auth" : "permanent";
    return byStatus === "throttle" || byStatus === "transient" ? byStatus : "connection";
  }
  if (byStatus !== undefined) return byStatus;
  return errorCodes(error).some((code) => CONNECTION_CODES.has(code)) ? "connection" : "permanent";
}

/** The error's own code and that of its cause, where the one that matters is often kept. */
export function errorCodes(error: unknown): readonly string[] {
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].flatMap((one) => {
    const code = typeof one === "object" && one !== null && "code" in one ? one.code : undefined;
    return typeof code === "string" ? [code] : [];
  });
}

/** Status of the response that the error stands for. */
export function errorStatus(error: unknown): number | undefined {
  const status = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
  return typeof status === "number" && status >= 400 ? status : undefined;
}

function isSelfDescribed(error: unknown): error is SelfDescribed {
  if (typeof error !== "object" || error === null || !("retry" in error)) return false;
  return error.retry === "never" || error.retry === "now" || error.retry === "after";
}
