/** Why a turn failed, in the protocol's words. */
type TurnErrorInfo =
  | "contextWindowExceeded"
  | "usageLimitExceeded"
  | "serverOverloaded"
  | "internalServerError"
  | "unauthorized"
  | "badRequest"
  | "other"
  | { readonly httpConnectionFailed: { readonly httpStatusCode: number | null } }
  | { readonly responseStreamDisconnected: { readonly httpStatusCode: number | null } };

export interface TurnError {
  readonly message: string;
  readonly codexErrorInfo: TurnErrorInfo;
  readonly additionalDetails: string | null;
}

/** What the model's side answered instead of a response. */
export interface ModelRefusal {
  /** HTTP status; undefined for a refusal inside the stream. */
  readonly status?: number | undefined;
  /** `error.code` or `error.type` of the body. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** A model request that ended without a response. Holds nothing that was sent. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly turnError: TurnError;

  constructor(turnError: TurnError) {
    super(turnError.message);
    this.turnError = turnError;
  }
}

/** Gives a refusal its meaning. Pure. */
export function turnErrorOf(refusal: ModelRefusal): TurnError {
  const { status, code, message } = refusal;
  const text = message === undefined ? undefined : visible(message);
  return {
    message: text ?? (status === undefined ? "the model gave no reason" : `unexpected status ${status}`),
    codexErrorInfo: infoOf(status, code),
    additionalDetails: null,
  };
}

/** What a failure that is not a refusal means: the network, the login, or a fault of ours. */
export function turnErrorFrom(error: unknown): TurnError {
  if (error instanceof ModelError) return error.turnError;
  const code = codeOf(error);
  const message = error instanceof Error ? visible(error.message) : "unknown failure";
  if (code.startsWith("ERR_RETRY_SSE_")) {
    return { message, codexErrorInfo: disconnected, additionalDetails: code };
  }
  if (code.startsWith("ERR_TRANSPORT_") || code === "ERR_CF_AFFINITY_JAR_CHALLENGED") {
    const status = (error as { status?: unknown }).status;
    const httpStatusCode = typeof status === "number" ? status : null;
    return { message, codexErrorInfo: { httpConnectionFailed: { httpStatusCode } }, additionalDetails: code };
  }
  if (code.startsWith("ERR_OAUTH_STORE_") || code.startsWith("ERR_AUTH_MANAGER_")) {
    const permanent = (error as { retry?: unknown }).retry === "never";
    return { message, codexErrorInfo: permanent ? "unauthorized" : "other", additionalDetails: code };
  }
  return { message: "internal error", codexErrorInfo: "other", additionalDetails: null };
}

const disconnected: TurnErrorInfo = { responseStreamDisconnected: { httpStatusCode: null } };

const infoByCode = new Map<string, TurnErrorInfo>([
  ["context_length_exceeded", "contextWindowExceeded"],
  ["usage_limit_reached", "usageLimitExceeded"],
  ["insufficient_quota", "usageLimitExceeded"],
  ["server_is_overloaded", "serverOverloaded"],
  ["slow_down", "serverOverloaded"],
  ["invalid_prompt", "badRequest"],
]);

const infoByStatus = new Map<number, TurnErrorInfo>([
  [400, "badRequest"],
  [401, "unauthorized"],
  [500, "internalServerError"],
]);

function infoOf(status: number | undefined, code: string | undefined): TurnErrorInfo {
  const byCode = infoByCode.get(code ?? "");
  if (byCode !== undefined) return byCode;
  if (status === undefined) return "other";
  return infoByStatus.get(status) ?? { httpConnectionFailed: { httpStatusCode: status } };
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

/** Text of a stranger, for a terminal: short, and without control or direction characters. */
function visible(text: string): string {
  return text.slice(0, 2_000).replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, " ");
}
