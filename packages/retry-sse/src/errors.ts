export type RetrySseErrorCode =
  /** No byte arrived for `idleTimeoutMs` while the caller was waiting. */
  | "ERR_RETRY_SSE_IDLE_TIMEOUT"
  /** Bytes arrived, but no event for `progressTimeoutMs` while the caller was waiting. */
  | "ERR_RETRY_SSE_PROGRESS_TIMEOUT"
  /** One event, finished or not, is larger than `maxEventBytes`. */
  | "ERR_RETRY_SSE_EVENT_TOO_LARGE"
  /** Events and comments arrive faster than `maxEventsPerSecond`. */
  | "ERR_RETRY_SSE_TOO_MANY_EVENTS"
  /** What came is not an event stream; `contentType` and `beginning` say what it is. */
  | "ERR_RETRY_SSE_CONTENT_TYPE"
  /** The bytes ended before the declared terminal event. */
  | "ERR_RETRY_SSE_ENDED_EARLY"
  /** The server asks for a longer wait than `maxRetryAfterMs`; `retryAtMs` says until when. */
  | "ERR_RETRY_SSE_RETRY_AFTER"
  /** The caller gave up; `cause` is the reason of its signal. */
  | "ERR_RETRY_SSE_ABORTED";

export interface RetrySseErrorOptions extends ErrorOptions {
  readonly retryAtMs?: number | undefined;
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly beginning?: string | undefined;
}

/** Another attempt ends the same way, or is not wanted. */
const NEVER: ReadonlySet<RetrySseErrorCode> = new Set([
  "ERR_RETRY_SSE_EVENT_TOO_LARGE",
  "ERR_RETRY_SSE_TOO_MANY_EVENTS",
  "ERR_RETRY_SSE_CONTENT_TYPE",
  "ERR_RETRY_SSE_ABORTED",
]);

/** An event stream that did not run to its end, or a wait that its caller or its policy gave up. */
export class RetrySseError extends Error {
  override readonly name = "RetrySseError";
  readonly code: RetrySseErrorCode;
  /** Whether sending again may help. It says nothing about whether it is safe. */
  readonly retry: "never" | "after";

  /** When it may work, as the other side said; milliseconds since the epoch. */
  readonly retryAtMs: number | undefined;
  /** Status of the response that asked for too long a wait. */
  readonly status: number | undefined;
  /** Content type of what came instead of an event stream; undefined when it named none. */
  readonly contentType: string | undefined;
  /** Its first bytes as text, for whoever has to find out what answered. */
  readonly beginning: string | undefined;

  constructor(code: RetrySseErrorCode, message: string, options: RetrySseErrorOptions = {}) {
    const { retryAtMs, status, contentType, beginning } = options;
    super(message, options);
    this.code = code;
    this.retry = NEVER.has(code) ? "never" : "after";
    this.retryAtMs = retryAtMs;
    this.status = status;
    this.contentType = contentType;
    this.beginning = beginning;
  }
}

/** Also true for an error made by another installed copy of this package. */
export function isRetrySseError(error: unknown): error is RetrySseError {
  return error instanceof Error && error.name === "RetrySseError" && "code" in error;
}

export function retryAfterError(status: number | undefined, retryAtMs: number): RetrySseError {
  const who = status === undefined ? "The server" : `Status ${status}`;
  const until = new Date(retryAtMs).toISOString();
  return new RetrySseError(
    "ERR_RETRY_SSE_RETRY_AFTER",
    `${who} asks not to be asked again before ${until}.`,
    {
      status,
      retryAtMs,
    },
  );
}

export function abortedError(signal: AbortSignal): RetrySseError {
  return new RetrySseError("ERR_RETRY_SSE_ABORTED", "The caller gave up.", { cause: signal.reason });
}
