export type RetrySseErrorCode =
  /** No byte arrived for `idleTimeoutMs` while the caller was waiting. */
  | "ERR_RETRY_SSE_IDLE_TIMEOUT"
  /** Bytes arrived, but no event for `progressTimeoutMs` while the caller was waiting. */
  | "ERR_RETRY_SSE_PROGRESS_TIMEOUT"
  /** One event, finished or not, is larger than `maxEventBytes`. */
  | "ERR_RETRY_SSE_EVENT_TOO_LARGE"
  /** The bytes ended before the declared terminal event. */
  | "ERR_RETRY_SSE_ENDED_EARLY"
  /** The caller gave up; `cause` is the reason of its signal. */
  | "ERR_RETRY_SSE_ABORTED";

/** An event stream that did not run to its end, or a wait that its caller gave up. */
export class RetrySseError extends Error {
  override readonly name = "RetrySseError";
  readonly code: RetrySseErrorCode;
  /** Whether sending again may help. It says nothing about whether it is safe. */
  readonly retry: "never" | "after";

  constructor(code: RetrySseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retry =
      code === "ERR_RETRY_SSE_EVENT_TOO_LARGE" || code === "ERR_RETRY_SSE_ABORTED" ? "never" : "after";
  }
}

/** Also true for an error made by another installed copy of this package. */
export function isRetrySseError(error: unknown): error is RetrySseError {
  return error instanceof Error && error.name === "RetrySseError" && "code" in error;
}

export function abortedError(signal: AbortSignal): RetrySseError {
  return new RetrySseError("ERR_RETRY_SSE_ABORTED", "The caller gave up.", { cause: signal.reason });
}
