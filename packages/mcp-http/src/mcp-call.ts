import { Operation, type OperationKey } from "@hawser/transport";
import { McpHttpError } from "./errors.ts";

export interface McpCallOptions {
  readonly label: string;
  /** The operation the caller works in; its deadline counts too. */
  readonly operation?: Operation | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * One public operation of the client, from the caller's word to its end: the deadline, the caller's signal, and the
 * one recovery and the one session recovery it may use. It ends once; nothing is sent for it afterwards.
 */
export class McpCall {
  readonly label: string;
  /** What every HTTP request of this call carries. */
  readonly operation: Operation;
  readonly #ending = new AbortController();
  readonly #stopListening: () => void;
  #authorizationRecovery: "unused" | "used" = "unused";
  #sessionRecovery: "unused" | "used" = "unused";
  #requestsOnWire = 0;

  constructor(options: McpCallOptions) {
    const { label, signal, timeoutMs, operation = Operation.start({ label, timeoutMs }) } = options;
    this.label = label;
    this.operation = operation.with(mcpCallKey, this);
    const limitMs = Math.min(timeoutMs ?? Number.POSITIVE_INFINITY, operation.remainingMs());
    const timer = Number.isFinite(limitMs)
      ? setTimeout(() => this.fail(timedOut(label, limitMs)), Math.min(limitMs, longestTimerMs))
      : undefined;
    const onAbort = () => this.fail(new McpHttpError("ERR_MCP_HTTP_ABORTED", `the caller gave up ${label}`));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#stopListening = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    if (signal?.aborted === true) onAbort();
  }

  /** Aborts when the call has failed: deadline, caller, or the client's close. Its reason is the error. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Why the call is over, when it did not end by an answer. */
  get failure(): Error | undefined {
    return this.#ending.signal.aborted ? (this.#ending.signal.reason as Error) : undefined;
  }

  /** Ends the call with an error; the first one counts. */
  fail(error: Error): void {
    this.#stopListening();
    this.#ending.abort(error);
  }

  /** The call got its answer, or its error was reported. */
  end(): void {
    this.#stopListening();
  }

  /** Waits for work that somebody else owns, for as long as this call lives. */
  async waitFor<T>(work: Promise<T>): Promise<T> {
    // Whoever owns the work hears of its failure; this call may be over and hear of nothing.
    work.catch(() => {});
    this.signal.throwIfAborted();
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const onEnd = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", onEnd, { once: true });
    try {
      return await Promise.race([work, ended]);
    } finally {
      this.signal.removeEventListener("abort", onEnd);
    }
  }

  /** True once: the caller of this may recover from a rejected token for this call. */
  takeAuthorizationRecovery(): boolean {
    const free = this.#authorizationRecovery === "unused";
    this.#authorizationRecovery = "used";
    return free;
  }

  /** True once: the caller of this may renew the session for this call. */
  takeSessionRecovery(): boolean {
    const free = this.#sessionRecovery === "unused";
    this.#sessionRecovery = "used";
    return free;
  }

  /** Whether a request of this call is where the server may be working on it. */
  get isOnWire(): boolean {
    return this.#requestsOnWire > 0;
  }

  requestLeft(): void {
    this.#requestsOnWire += 1;
  }

  requestReturned(): void {
    this.#requestsOnWire -= 1;
  }
}

/** Where a request carries its call. */
export const mcpCallKey: OperationKey<McpCall> = { id: Symbol.for("@hawser/mcp-http/call") };

// setTimeout fires at once for anything longer.
const longestTimerMs = 2_147_483_647;

function timedOut(label: string, afterMs: number): McpHttpError {
  const text = `timed out awaiting ${label} after ${Math.round(afterMs)} ms`;
  return new McpHttpError("ERR_MCP_HTTP_TIMEOUT", text);
}
