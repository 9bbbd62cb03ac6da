import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type MessageChannel, webSocketChannel } from "@hawser/json-rpc";
import { type WebSocket, WebSocketServer } from "ws";
import { StartError } from "../errors.ts";
import type { BearerCheck } from "./bearer-check.ts";
import { type Refusal, refuseBrowser, refuseUpgrade, requestPath } from "./refuse-request.ts";

export interface WebSocketListenOptions {
  readonly host: string;
  readonly port: number;
  readonly checkBearer: BearerCheck;
  readonly allowedHosts: readonly string[];
  /** Takes over an open connection. */
  readonly onConnection: (channel: MessageChannel) => void;
  /** Clients at once; one more gets 503. @defaultValue 4_096 */
  readonly maxConnections?: number | undefined;
  /** From a connection to the end of its request's head. @defaultValue 10_000 */
  readonly upgradeTimeoutMs?: number | undefined;
}

export interface WebSocketListener {
  /** Where it listens, with the port the system chose. */
  readonly url: string;
  /** Takes no more connections and closes those that are with 1001. */
  close(): Promise<void>;
}

const PING_INTERVAL_MS = 30_000;
/** Connections beyond the clients': for health checks, and to tell who comes too many. */
const SPARE_CONNECTIONS = 64;
const TOO_MANY: Refusal = { status: 503, text: "too many connections" };
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Listens for WebSockets on `/`, and answers `/readyz`. Throws `StartError` when the address cannot be bound. */
export async function listenWebSocket(options: WebSocketListenOptions): Promise<WebSocketListener> {
  const { host, port, allowedHosts, onConnection } = options;
  const { maxConnections = 4_096, upgradeTimeoutMs = 10_000 } = options;
  let connections = 0;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    clientTracking: false,
  });
  const channels = new Set<MessageChannel>();
  const timeouts = {
    headersTimeout: upgradeTimeoutMs,
    requestTimeout: upgradeTimeoutMs,
    connectionsCheckingInterval: Math.ceil(upgradeTimeoutMs / 10),
  };
  const server = createServer(timeouts, (request, response) => answerPlain(request, response, allowedHosts));
  server.maxConnections = maxConnections + SPARE_CONNECTIONS;
  server.on("upgrade", (request, socket, head) => {
    const refusal = refuseUpgrade(request, options);
    if (refusal !== undefined) return refuse(socket, refusal, upgradeTimeoutMs);
    if (connections >= maxConnections) return refuse(socket, TOO_MANY, upgradeTimeoutMs);
    connections += 1;
    socket.once("close", () => {
      connections -= 1;
    });
    // A burst of small frames must not wait for the peer's delayed acknowledgement.
    (socket as Socket).setNoDelay(true);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      keepAlive(ws);
      const channel = webSocketChannel(ws, { maxMessageBytes: MAX_MESSAGE_BYTES });
      channels.add(channel);
      void channel.closed.then(() => channels.delete(channel));
      onConnection(channel);
    });
  });

  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the port is in use" : code;
    throw new StartError("ERR_EXEC_SERVER_LISTEN", `cannot listen on ${host}:${port}: ${why}`);
  }
  const bound = server.address() as AddressInfo;
  const shown = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;

  return {
    url: `ws://${shown}:${bound.port}`,
    async close() {
      server.close();
      await Promise.all([...channels].map((channel) => channel.close(1001, "the server is shutting down")));
      server.closeAllConnections();
    },
  };
}

function answerPlain(
  request: IncomingMessage,
  response: ServerResponse,
  allowedHosts: readonly string[],
): void {
  const { status, text } = refuseBrowser(request, allowedHosts) ?? plainAnswer(request);
  response.writeHead(status, text === "" ? {} : { "content-type": "text/plain" }).end(text);
}

function plainAnswer(request: IncomingMessage): Refusal {
  const path = requestPath(request);
  if (path === "/readyz") {
    return { status: request.method === "GET" || request.method === "HEAD" ? 200 : 405, text: "" };
  }
  return path === "/"
    ? { status: 400, text: "Connection header did not include 'upgrade'" }
    : { status: 404, text: "" };
}

function refuse(socket: Duplex, { status, text }: Refusal, lingerMs: number): void {
  socket.on("error", () => {}); // A client that leaves while it is turned away is turned away.
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: text/plain\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  // Whoever is turned away and does not go keeps no place.
  const late = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.resume().once("close", () => clearTimeout(late));
}

/** Pings; a peer that answered nothing for a whole interval is gone. A socket we paused cannot be heard. */
function keepAlive(ws: WebSocket): void {
  let isAlive = true;
  ws.on("pong", () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive && !ws.isPaused) return ws.terminate();
    isAlive = false;
    ws.ping();
  }, PING_INTERVAL_MS).unref();
  ws.on("close", () => clearInterval(timer));
}
