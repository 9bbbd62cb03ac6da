import {
  createRpcPeer,
  isRpcClosedError,
  isRpcError,
  quoted,
  type RpcMethod,
  type RpcPeer,
  rpcMethod,
  webSocketChannel,
} from "@hawser/json-rpc";
import type { HeaderList } from "@hawser/transport";
import { type Dispatcher, WebSocket } from "undici";
import { z } from "zod";
import { ExecConnectionError } from "../errors.ts";
import type { ExecServerConnection } from "./exec-server-connection.ts";

export interface ConnectExecServerOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`. Kept nowhere afterwards. @defaultValue none */
  readonly bearer?: string | undefined;
  /** Says who connects. */
  readonly clientName: string;
  /** Sent with the handshake: who is asking, for example. @defaultValue none */
  readonly headers?: HeaderList | undefined;
  /** Proxy and trust; see `createDispatcher` of the transport. @defaultValue undici's own */
  readonly dispatcher?: Dispatcher | undefined;
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
  /** From the start to the end of the handshake. @defaultValue 10_000 */
  readonly connectTimeoutMs?: number | undefined;
}

const NOTIFICATIONS = ["process/output", "process/exited", "process/closed", "http/request/bodyDelta"];

const initializeResult = z.object({
  sessionId: z.string(),
  environmentInfo: z
    .object({ cwd: z.string().nullish(), capabilities: z.record(z.string(), z.unknown()).nullish() })
    .nullish(),
});

/**
 * Connects and shakes hands. Does not reconnect: when `closed` resolves, connect again. Rejects with
 * `ExecConnectionError`, or with the signal's reason.
 */
export async function connectExecServer(options: ConnectExecServerOptions): Promise<ExecServerConnection> {
  const { signal, clientName, connectTimeoutMs = 10_000 } = options;
  const late = AbortSignal.timeout(connectTimeoutMs);
  const givenUp = signal === undefined ? late : AbortSignal.any([signal, late]);
  const socket = await openSocket(options, givenUp);
  const listeners = new Map<string, Set<(params: unknown) => void>>();
  const peer = createRpcPeer({
    channel: webSocketChannel(socket),
    methods: new Map(),
    notifications: new Map(NOTIFICATIONS.map((method) => [method, forward(method, listeners)])),
  });
  try {
    const answer = await peer.request("initialize", { clientName }, { signal: givenUp });
    const parsed = initializeResult.safeParse(answer);
    if (!parsed.success) throw handshakeError("its answer to initialize is not the protocol's");
    await peer.notify("initialized", {});
    return connection(peer, parsed.data.environmentInfo ?? {}, listeners);
  } catch (error) {
    void peer.close();
    signal?.throwIfAborted();
    throw error instanceof ExecConnectionError
      ? error
      : handshakeError(isRpcError(error) ? error.message : "no answer");
  }
}

function handshakeError(why: string): ExecConnectionError {
  return new ExecConnectionError(
    "ERR_EXEC_SERVER_HANDSHAKE",
    `the exec-server did not shake hands: ${quoted(why)}`,
  );
}

async function openSocket(options: ConnectExecServerOptions, givenUp: AbortSignal): Promise<WebSocket> {
  const { url, bearer, headers = [], dispatcher, signal } = options;
  givenUp.throwIfAborted();
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== "ws:" && parsed.protocol !== "wss:")) {
    throw new ExecConnectionError("ERR_EXEC_SERVER_CONNECT", "the exec-server's url is neither ws: nor wss:");
  }
  const socket = new WebSocket(parsed, {
    ...(dispatcher === undefined ? {} : { dispatcher }),
    headers: {
      ...Object.fromEntries(headers),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
  });
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const fail = (): void => reject(new Error("not connected"));
  socket.addEventListener("open", () => resolve());
  socket.addEventListener("error", fail);
  givenUp.addEventListener("abort", fail, { once: true });
  try {
    await opened;
    return socket;
  } catch {
    // The event says no more than this, and the original could hold the header.
    socket.close();
    signal?.throwIfAborted();
    throw new ExecConnectionError(
      "ERR_EXEC_SERVER_CONNECT",
      `no WebSocket to ${parsed.protocol}//${parsed.host}: nobody listens there, or it refused the bearer`,
    );
  } finally {
    givenUp.removeEventListener("abort", fail);
  }
}

function forward(method: string, listeners: Map<string, Set<(params: unknown) => void>>): RpcMethod {
  return rpcMethod({
    params: z.unknown(),
    handle: (params) => {
      for (const listener of listeners.get(method) ?? []) listener(params);
    },
  });
}

function connection(
  peer: RpcPeer,
  environment: { cwd?: string | null | undefined; capabilities?: Record<string, unknown> | null | undefined },
  listeners: Map<string, Set<(params: unknown) => void>>,
): ExecServerConnection {
  const capabilities = Object.entries(environment.capabilities ?? {});
  const close = (): Promise<void> => peer.close(1000);
  return {
    capabilities: new Set(capabilities.filter(([, value]) => value === true).map(([name]) => name)),
    cwd: environment.cwd ?? undefined,
    request: async (method, params, options) => {
      try {
        return await peer.request(method, params, options);
      } catch (error) {
        throw callError(method, error);
      }
    },
    notify: async (method, params) => {
      try {
        await peer.notify(method, params);
      } catch (error) {
        throw callError(method, error);
      }
    },
    subscribe: (method, listener) => {
      const known = listeners.get(method) ?? new Set();
      listeners.set(method, known.add(listener));
      return () => known.delete(listener);
    },
    get isOpen() {
      return !peer.signal.aborted;
    },
    closed: peer.closed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function callError(method: string, error: unknown): unknown {
  if (isRpcClosedError(error)) {
    return new ExecConnectionError("ERR_EXEC_SERVER_CLOSED", `${method}: ${error.message}`);
  }
  if (!isRpcError(error)) return error;
  const { code, data, message } = error;
  // Another server's text about a request may repeat its URL, values and all.
  const text = method === "http/request" ? "" : ` ${quoted(message)}`;
  return new ExecConnectionError("ERR_EXEC_SERVER_REFUSED", `${method} was refused with ${code}${text}`, {
    rpcCode: code,
    data,
  });
}
