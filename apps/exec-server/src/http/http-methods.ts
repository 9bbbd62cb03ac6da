import { type RpcContext, RpcError, type RpcMethod, type RpcPeer, rpcMethod } from "@hawser/json-rpc";
import type { HttpResponse, HttpTransport } from "@hawser/transport";
import { z } from "zod";
import { describeFailure, toRpcError } from "./http-failure.ts";
import {
  environmentHeaders,
  type HttpParams,
  httpParams,
  toHeaderParams,
  toHttpRequest,
} from "./http-params.ts";
import { ResponseWindow } from "./response-window.ts";

export interface HttpOptions {
  /** Stops at a redirect. */
  readonly single: HttpTransport;
  /** Follows redirects; these headers, and the well-known ones, stay with the first origin. */
  readonly following: (sensitiveHeaders: readonly string[]) => HttpTransport;
  /** Where `valueEnvVar` looks. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface HttpMethods {
  readonly methods: readonly (readonly [string, RpcMethod])[];
  readonly notifications: readonly (readonly [string, RpcMethod])[];
}

const MAX_BUFFERED_BYTES = 128 * 1024 * 1024;
const MAX_DELTA_BYTES = 512 * 1024;
const MAX_ACTIVE_REQUESTS = 4_096;

/** A request on its way, or the body of one that is streamed. */
interface ActiveRequest {
  readonly abort: AbortController;
  readonly window: ResponseWindow;
  readonly isStreamed: boolean;
}

/** `http/request` of one connection, and its cancellation. */
export function httpMethods(options: HttpOptions): HttpMethods {
  const active = new Map<string, Set<ActiveRequest>>();
  const named = (requestId: string): readonly ActiveRequest[] => [...(active.get(requestId) ?? [])];
  return {
    methods: [
      [
        "http/request",
        rpcMethod({
          params: httpParams,
          handle: (params, context) => request(options, active, params, context),
        }),
      ],
    ],
    notifications: [
      [
        "http/request/cancel",
        rpcMethod({
          params: z.object({ requestId: z.string() }),
          // A body that ended meanwhile has nothing left to cancel.
          handle: ({ requestId }) => {
            for (const { abort } of named(requestId)) abort.abort();
          },
        }),
      ],
      [
        "http/request/window",
        rpcMethod({
          params: z.object({ requestId: z.string(), bytes: z.number().int().positive() }),
          handle: ({ requestId, bytes }) => {
            for (const { window } of named(requestId)) window.open(bytes);
          },
        }),
      ],
    ],
  };
}

async function request(
  options: HttpOptions,
  active: Map<string, Set<ActiveRequest>>,
  params: HttpParams,
  { signal: gone, peer, afterReply }: RpcContext,
): Promise<unknown> {
  const { requestId, timeoutMs, redirectPolicy } = params;
  const isStreamed = params.streamResponse === true;
  const one: ActiveRequest = {
    abort: new AbortController(),
    window: new ResponseWindow(params.responseWindowBytes ?? undefined),
    isStreamed,
  };
  const outgoing = toHttpRequest(params, options.env);
  const leave = enter(active, requestId, one);
  const onGone = (): void => one.abort.abort();
  gone.addEventListener("abort", onGone, { once: true });
  const finish = (): void => {
    gone.removeEventListener("abort", onGone);
    leave();
  };
  try {
    if (timeoutMs === 0)
      throw new RpcError(-32603, "http/request failed: timed out before it was sent", TIMED_OUT);
    const transport =
      redirectPolicy === "stop" ? options.single : options.following(environmentHeaders(params));
    const response = await transport.send({
      ...outgoing,
      signal: one.abort.signal,
      limits: {
        // The caller's only bound is `timeoutMs`: an event stream may be silent for as long as it likes.
        headersTimeoutMs: 0,
        bodyIdleTimeoutMs: 0,
        totalTimeoutMs: timeoutMs ?? 0,
        maxResponseBytes: isStreamed ? 0 : MAX_BUFFERED_BYTES,
      },
    });
    const head = { status: response.status, headers: toHeaderParams(response.headers) };
    if (!isStreamed) {
      const bytes = await response.bytes();
      finish();
      const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return { ...head, bodyBase64: view.toString("base64") };
    }
    // Behind the reply, and not counted as a request being answered: a long stream holds up nothing.
    afterReply(() => void pump(response, requestId, one, peer).finally(finish));
    return { ...head, bodyBase64: "" };
  } catch (error) {
    finish();
    throw error instanceof RpcError ? error : toRpcError(error);
  }
}

const TIMED_OUT = { code: "ERR_TRANSPORT_TIMEOUT", sent: "no", retry: "after" };

function enter(active: Map<string, Set<ActiveRequest>>, requestId: string, one: ActiveRequest): () => void {
  const same = active.get(requestId) ?? new Set();
  if (one.isStreamed && [...same].some(({ isStreamed }) => isStreamed)) {
    throw new RpcError(-32602, `http/request streamResponse requestId \`${requestId}\` is already active`);
  }
  if (active.size >= MAX_ACTIVE_REQUESTS) throw new RpcError(-32603, "too many http requests are active");
  active.set(requestId, same.add(one));
  return () => {
    same.delete(one);
    if (same.size === 0 && active.get(requestId) === same) active.delete(requestId);
  };
}

/** Sends the body piece by piece, as fast as the client takes it, and one terminal frame. Never rejects. */
async function pump(
  response: HttpResponse,
  requestId: string,
  { abort, window }: ActiveRequest,
  peer: RpcPeer,
): Promise<void> {
  let seq = 1;
  const tell = (delta: object): Promise<void> =>
    peer.notify("http/request/bodyDelta", { requestId, seq: seq++, ...delta });
  try {
    for await (const bytes of response.body) {
      for (let start = 0; start < bytes.byteLength; ) {
        const wanted = Math.min(bytes.byteLength - start, MAX_DELTA_BYTES);
        const taken = await window.take(wanted, abort.signal);
        const piece = Buffer.from(bytes.buffer, bytes.byteOffset + start, taken);
        start += taken;
        await tell({ deltaBase64: piece.toString("base64"), done: false, error: null });
      }
    }
    await tell({ deltaBase64: "", done: true, error: null });
  } catch (error) {
    const { message, data } = describeFailure(error);
    const reason = abort.signal.aborted ? "cancelled" : message;
    // A client that is gone needs no last frame.
    await tell({ deltaBase64: "", done: true, error: reason, ...(data === undefined ? {} : { data }) }).catch(
      () => {},
    );
  }
}
