import { randomUUID } from "node:crypto";
import {
  createHttpResponse,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  prepareRequest,
  TransportError,
  type TransportErrorCode,
} from "@hawser/transport";
import { z } from "zod";
import { ExecConnectionError } from "../errors.ts";
import type { ExecServerConnection } from "./exec-server-connection.ts";
import { type BodyDelta, RemoteBody, remoteCode } from "./remote-body.ts";

/** Room for a body that is not read yet, where the server can be told. */
const WINDOW_BYTES = 1024 * 1024;
/** Room where it cannot: above it the body fails, so that one slow reader costs no memory. */
const UNCONTROLLED_BYTES = 16 * 1024 * 1024;
const DEFAULT_SILENCE_MS = 300_000;

const deltaShape: z.ZodType<BodyDelta> = z.object({
  requestId: z.string(),
  seq: z.number(),
  deltaBase64: z.string(),
  done: z.boolean(),
  error: z.string().nullish(),
  data: z.object({ code: z.string() }).nullish(),
});
const replyShape = z.object({
  status: z.number().int(),
  headers: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
});
const failureShape = z.object({ code: z.string(), sent: z.enum(["no", "unknown", "yes"]).optional() });

/**
 * Sends requests from the exec-server's machine. Each is sent once there, redirects are handed back, and bodies are
 * streamed as they come, side by side. A body that is read slowly slows its own source only; one that is cancelled, or
 * whose caller gives up, is cancelled there too. Neither holds where the server has no such capability.
 *
 * Failures are `TransportError`s as a local transport would throw them; a connection that goes is
 * `ERR_TRANSPORT_RESET`, or `ERR_TRANSPORT_CLOSED` when it was gone before.
 */
export function createRemoteTransport(connection: ExecServerConnection): HttpTransport {
  const bodies = new Map<string, RemoteBody>();
  const prefix = randomUUID();
  let count = 0;
  connection.subscribe("http/request/bodyDelta", (params) => {
    const delta = deltaShape.safeParse(params);
    // A piece that makes no sense leaves a gap in its body's sequence, and the next one tells.
    if (delta.success) bodies.get(delta.data.requestId)?.push(delta.data);
  });
  void connection.closed.then(() => {
    for (const body of [...bodies.values()])
      body.fail("ERR_TRANSPORT_RESET", "the exec-server's connection is gone");
  });

  return {
    send: async (request) => {
      const prepared = await prepareRequest(request);
      checkSendable(connection, prepared);
      return send({ connection, bodies, request: prepared, requestId: `${prefix}-${++count}` });
    },
  };
}

interface Exchange {
  readonly connection: ExecServerConnection;
  readonly bodies: Map<string, RemoteBody>;
  readonly request: HttpRequest;
  readonly requestId: string;
}

async function send({ connection, bodies, request, requestId }: Exchange): Promise<HttpResponse> {
  const { url, limits = {}, signal, operation } = request;
  const { headersTimeoutMs = DEFAULT_SILENCE_MS, bodyIdleTimeoutMs = DEFAULT_SILENCE_MS } = limits;
  const hasWindow = connection.capabilities.has("httpResponseWindow");
  const headWait = new AbortController();
  let isOver = false;
  let read = 0;

  const body = new RemoteBody({
    url,
    maxResponseBytes: limits.maxResponseBytes ?? 0,
    idleTimeoutMs: bodyIdleTimeoutMs,
    maxQueuedBytes: hasWindow ? WINDOW_BYTES : UNCONTROLLED_BYTES,
    onRead: (bytes) => {
      read += bytes;
      if (!hasWindow || read < WINDOW_BYTES / 2) return;
      tell(connection, "http/request/window", { requestId, bytes: read });
      read = 0;
    },
    onEnd: (how) => {
      isOver = true;
      bodies.delete(requestId);
      clearTimeout(totalTimer);
      signal?.removeEventListener("abort", onAbort);
      if (how === "given up" && connection.capabilities.has("httpRequestCancel")) {
        tell(connection, "http/request/cancel", { requestId });
      }
    },
  });
  const giveUp = (code: TransportErrorCode, message: string): void => {
    body.fail(code, message);
    headWait.abort(new TransportError(code, message, { url, sent: "unknown" }));
  };
  const onAbort = (): void => giveUp("ERR_TRANSPORT_ABORTED", "aborted by the caller");
  signal?.addEventListener("abort", onAbort, { once: true });
  const timeoutMs = Math.min(
    limits.totalTimeoutMs || Number.POSITIVE_INFINITY,
    operation?.remainingMs() ?? Number.POSITIVE_INFINITY,
  );
  const totalTimer = timer(timeoutMs, () => giveUp("ERR_TRANSPORT_TIMEOUT", "the exchange took too long"));
  const headTimer = timer(headersTimeoutMs || Number.POSITIVE_INFINITY, () =>
    giveUp("ERR_TRANSPORT_HEADERS_TIMEOUT", "no response head within headersTimeoutMs"),
  );
  // Before the request is sent: its body may begin right behind the reply.
  bodies.set(requestId, body);
  try {
    const reply = await connection.request(
      "http/request",
      requestParams(request, requestId, { timeoutMs, windowBytes: hasWindow ? WINDOW_BYTES : undefined }),
      { signal: headWait.signal },
    );
    const { status, headers } = replyShape.parse(reply);
    return createHttpResponse({
      status,
      url,
      headers: headers.map(({ name, value }) => [name, value] as const),
      body,
    });
  } catch (error) {
    if (!isOver) body.cancel();
    throw headError(error, url);
  } finally {
    clearTimeout(headTimer);
  }
}

function requestParams(
  request: HttpRequest,
  requestId: string,
  options: { readonly timeoutMs: number; readonly windowBytes: number | undefined },
): object {
  const { method, url, headers, body } = request;
  const { timeoutMs, windowBytes } = options;
  return {
    requestId,
    method,
    url: url.href,
    headers: headers.map(([name, value]) => ({ name, value })),
    bodyBase64: body === undefined ? undefined : Buffer.from(body as Uint8Array).toString("base64"),
    timeoutMs: Number.isFinite(timeoutMs) ? Math.max(1, Math.floor(timeoutMs)) : undefined,
    redirectPolicy: "stop",
    streamResponse: true,
    responseWindowBytes: windowBytes,
  };
}

/** Why there is no response, without a word of the server's own. */
function headError(error: unknown, url: URL): TransportError {
  if (error instanceof TransportError) return error;
  if (error instanceof ExecConnectionError && error.code === "ERR_EXEC_SERVER_REFUSED") {
    const failure = failureShape.safeParse(error.data);
    const code = failure.success ? remoteCode(failure.data.code) : undefined;
    const { sent = "unknown" } = failure.success ? failure.data : {};
    if (code !== undefined) return new TransportError(code, "the exec-server has no response", { url, sent });
    return error.rpcCode === -32602
      ? new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "the exec-server refused the request", { url })
      : new TransportError("ERR_TRANSPORT_RESET", "the exec-server has no response", {
          url,
          sent: "unknown",
        });
  }
  if (error instanceof ExecConnectionError) {
    return new TransportError("ERR_TRANSPORT_RESET", "the exec-server's connection is gone", {
      url,
      sent: "unknown",
    });
  }
  return new TransportError("ERR_TRANSPORT_PROTOCOL", "the exec-server's answer makes no sense", {
    url,
    sent: "unknown",
  });
}

function checkSendable(connection: ExecServerConnection, { url, signal, operation }: HttpRequest): void {
  if (signal?.aborted === true) {
    throw new TransportError("ERR_TRANSPORT_ABORTED", "aborted by the caller", { url });
  }
  if (operation?.remainingMs() === 0) {
    throw new TransportError("ERR_TRANSPORT_TIMEOUT", "the operation's deadline passed", {
      url,
      retry: "never",
    });
  }
  if (!connection.isOpen) {
    throw new TransportError("ERR_TRANSPORT_CLOSED", "the exec-server's connection is gone", { url });
  }
}

/** A connection that goes meanwhile ends the body by itself. */
function tell(connection: ExecServerConnection, method: string, params: object): void {
  connection.notify(method, params).catch(() => {});
}

function timer(ms: number, task: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(ms) ? setTimeout(task, Math.min(Math.ceil(ms), 2 ** 31 - 1)) : undefined;
}
