import { type ClientIdentity, identityKey } from "@hawser/client-identity";
import { budgetKey, RetryBudget, type SseStream, sseStream } from "@hawser/retry-sse";
import { type HeaderList, type HttpResponse, type HttpTransport, Operation } from "@hawser/transport";
import { z } from "zod";
import { type ModelEvent, readModelEvent } from "./model-event.ts";
import type { ModelItem, ModelTool } from "./model-item.ts";
import { type RateLimits, readRateLimits } from "./rate-limits.ts";
import { ModelError, turnErrorOf } from "./turn-error.ts";

export interface ModelRequest {
  readonly model: string;
  readonly instructions: string;
  readonly input: readonly ModelItem[];
  readonly tools: readonly ModelTool[];
  /** Groups requests for the provider's cache. */
  readonly threadId: string;
  /** Who asks: the connection that sent the turn. */
  readonly identity: ClientIdentity;
  readonly signal: AbortSignal;
}

/** An answer whose head has arrived. `events` is read once; leaving it early gives the connection up. */
interface ModelAnswer {
  readonly rateLimits: RateLimits;
  readonly events: AsyncIterable<ModelEvent>;
}

export interface ModelClientOptions {
  readonly transport: HttpTransport;
  /** Where the login of this moment is served. */
  readonly baseUrl: () => Promise<URL>;
  readonly headers?: HeaderList | undefined;
  /** Longest silence of the stream. */
  readonly idleTimeoutMs: number;
  /** Retries of one request, whatever it is repeated for. */
  readonly maxRetries: number;
}

export interface ModelClient {
  /** Asks once and streams the answer. Throws `ModelError`, or the error of a room. */
  ask(request: ModelRequest): Promise<ModelAnswer>;
}

/** Speaks the Responses API through the model stack that `compose.ts` nests. */
export function createModelClient(options: ModelClientOptions): ModelClient {
  const { transport, baseUrl, headers = [], idleTimeoutMs, maxRetries } = options;
  return {
    async ask(request) {
      const url = new URL(`${(await baseUrl()).href.replace(/\/$/, "")}/responses`);
      const response = await transport.send({
        method: "POST",
        url,
        headers: [
          ["accept", "text/event-stream"],
          ["session-id", request.threadId],
          ["thread-id", request.threadId],
          ["x-client-request-id", request.threadId],
          ...headers,
        ],
        body: { json: requestBody(request) },
        signal: request.signal,
        // Nothing is stored on the other side: an answer that never came can be asked for again.
        idempotent: true,
        limits: { bodyIdleTimeoutMs: idleTimeoutMs },
        // One budget for the whole operation: what is sent again after a 401 is repeated from the same one.
        operation: Operation.start({ label: "turn" })
          .with(identityKey, request.identity)
          .with(budgetKey, new RetryBudget({ maxRetries })),
      });
      if (response.status < 200 || response.status > 299) throw await refusalOf(response);
      return {
        rateLimits: readRateLimits(response.headers),
        events: readEvents(response, idleTimeoutMs, request.signal),
      };
    },
  };
}

function requestBody(request: ModelRequest): object {
  const { model, instructions, input, tools, threadId } = request;
  return {
    model,
    instructions,
    input,
    tools,
    tool_choice: "auto",
    parallel_tool_calls: false,
    store: false,
    stream: true,
    prompt_cache_key: threadId,
  };
}

async function* readEvents(
  response: HttpResponse,
  idleTimeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  const release = (): Promise<void> => response.cancel();
  const stream = sseStream(response.body, { idleTimeoutMs, signal, release });
  let completed = false;
  try {
    const read = (): ReturnType<SseStream["next"]> =>
      stream.next().catch((error: unknown) => {
        signal.throwIfAborted();
        throw disconnected(response, error);
      });
    for (let next = await read(); !next.done; next = await read()) {
      const event = readModelEvent(next.value.data);
      if (event === undefined) continue;
      completed = event.type === "completed";
      yield event;
      if (completed) return;
    }
  } finally {
    if (completed) void readToEnd(stream);
    else await stream.return();
  }
  throw disconnected(response, undefined);
}

/** The answer began and did not end: nothing of it is asked for again, because the client has seen its beginning. */
function disconnected(response: HttpResponse, error: unknown): ModelError {
  const details = error instanceof Error && "code" in error ? String(error.code) : null;
  return new ModelError({
    message: "stream closed before response.completed",
    codexErrorInfo: { responseStreamDisconnected: { httpStatusCode: response.status } },
    additionalDetails: details,
  });
}

const endWaitMs = 250;

/** The answer is complete; a connection whose body is read to its end serves the next request as well. */
async function readToEnd(stream: SseStream): Promise<void> {
  const limit = setTimeout(() => void stream.return(), endWaitMs);
  try {
    while (!(await stream.next()).done);
  } catch {
    // Nothing of it is needed any more.
  } finally {
    clearTimeout(limit);
  }
}

const refusalBody = z.looseObject({
  error: z.looseObject({
    code: z.string().nullish(),
    type: z.string().nullish(),
    message: z.string().nullish(),
  }),
});

async function refusalOf(response: HttpResponse): Promise<ModelError> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = undefined; // the status alone says enough
  }
  const error = refusalBody.safeParse(body).data?.error;
  const code = error?.code ?? error?.type ?? undefined;
  return new ModelError(turnErrorOf({ status: response.status, code, message: error?.message ?? undefined }));
}
