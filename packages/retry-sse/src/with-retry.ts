import type { HeaderPairs } from "./header-pairs.ts";
import type { RetryOperation } from "./retry-budget.ts";
import type { RetryPolicy } from "./retry-decision.ts";
import { runWithRetry } from "./run-with-retry.ts";

/** What is read of a request; that of `@hawser/transport` has it. */
export interface RetryableRequest {
  readonly method: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Says that sending twice does no harm, or that it does, whatever the method. */
  readonly idempotent?: boolean | undefined;
  readonly operation?: RetryOperation | undefined;
}

/** What is read of a response. */
export interface RetryableResponse {
  readonly status: number;
  readonly headers: HeaderPairs;
  cancel(): Promise<void>;
}

/** Anything that sends. */
export interface Sender<Request, Response> {
  send(request: Request): Promise<Response>;
}

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

/**
 * Sends again what may be sent again. A request that is not idempotent by method goes out once, unless it says
 * `idempotent: true`; so does one whose body can be read only once. The last response or error is passed on as it is;
 * the ones before are cancelled. Layers that pass one operation along share its budget.
 *
 * @throws {@link RetrySseError} `ERR_RETRY_SSE_RETRY_AFTER` when a response asks for a longer wait than the policy
 * allows; `ERR_RETRY_SSE_ABORTED` when the caller gives up during a wait.
 */
export function withRetry(
  policy: RetryPolicy = {},
): <Request extends RetryableRequest, Response extends RetryableResponse>(
  next: Sender<Request, Response>,
) => Sender<Request, Response> {
  const methods = new Set((policy.methods ?? IDEMPOTENT_METHODS).map((method) => method.toUpperCase()));
  return (next) => ({
    async send(request) {
      if (!isRepeatable(request, methods)) return next.send(request);
      const { signal, operation } = request;
      return runWithRetry(
        policy,
        (attempt) =>
          next.send(attempt.operation === operation ? request : { ...request, operation: attempt.operation }),
        {
          signal,
          operation,
          faultOf: ({ status, headers }) => (status < 400 ? undefined : { kind: "status", status, headers }),
          discard: (response) => response.cancel(),
        },
      );
    },
  });
}

function isRepeatable({ method, idempotent, body }: RetryableRequest, methods: ReadonlySet<string>): boolean {
  return (idempotent ?? methods.has(method.toUpperCase())) && !isReadOnce(body);
}

function isReadOnce(body: unknown): boolean {
  return typeof body === "object" && body !== null && (Symbol.asyncIterator in body || "getReader" in body);
}
