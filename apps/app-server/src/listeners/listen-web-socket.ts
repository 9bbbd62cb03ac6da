import { once } from "node:events";
import { lstat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import { type AddressInfo, connect, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { webSocketChannel } from "@hawser/json-rpc";
import { WebSocketServer } from "ws";
import { AppServerError } from "../errors.ts";
import type { ChannelHandler, ChannelListener } from "./channel-listener.ts";
import { isLoopback, type ListenAddress } from "./listen-address.ts";
import type { WebSocketAuthorizer } from "./web-socket-auth.ts";

export interface ListenWebSocketOptions {
  readonly address: Exclude<ListenAddress, { kind: "stdio" }>;
  readonly authorize?: WebSocketAuthorizer | undefined;
  readonly onChannel: ChannelHandler;
  /** Largest message taken from a client. @defaultValue 67_108_864 (64 MiB) */
  readonly maxMessageBytes?: number | undefined;
  /** Clients at once; one more gets 503. @defaultValue 4_096 */
  readonly maxConnections?: number | undefined;
  /** From a connection to the end of its request's head. @defaultValue 10_000 */
  readonly upgradeTimeoutMs?: number | undefined;
}

/** Connections beyond the clients': for health checks, and to tell who comes too many. */
const SPARE_CONNECTIONS = 64;
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * Takes WebSocket clients on an IP address or a unix socket (mode 0600). Anything with an `Origin` is a web page and
 * gets 403; on an IP address so does a `Host` that is not ours, which stops a name rebound to this machine.
 * `/healthz` and `/readyz` need no token. Throws `ERR_APP_SERVER_LISTEN`.
 */
export async function listenWebSocket(options: ListenWebSocketOptions): Promise<ChannelListener> {
  const { address, authorize, onChannel, maxMessageBytes = 64 * 1024 * 1024 } = options;
  const { maxConnections = 4_096, upgradeTimeoutMs = 10_000 } = options;
  let connections = 0;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  const timeouts = {
    headersTimeout: upgradeTimeoutMs,
    requestTimeout: upgradeTimeoutMs,
    connectionsCheckingInterval: Math.ceil(upgradeTimeoutMs / 10),
  };
  const server = createServer(timeouts, (request, response) => {
    const path = request.url?.split("?")[0];
    const healthy = request.method === "GET" && (path === "/healthz" || path === "/readyz");
    if (isForeign(request, address)) response.writeHead(403).end();
    else if (healthy) response.writeHead(200).end();
    else response.writeHead(400).end("Connection header did not include 'upgrade'");
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const turnAway = (status: 401 | 403 | 503, body: string): void =>
      refuse(socket, { status, body, lingerMs: upgradeTimeoutMs });
    if (isForeign(request, address)) return turnAway(403, "");
    const refusal = authorize?.(request.headers.authorization);
    if (refusal !== undefined) return turnAway(401, refusal);
    if (connections >= maxConnections) return turnAway(503, "too many connections");
    connections += 1;
    socket.once("close", () => {
      connections -= 1;
    });
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      request.socket.setNoDelay(true);
      // A peer that vanished without a word gives its place back.
      request.socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      void onChannel(webSocketChannel(webSocket, { maxMessageBytes, binary: "ignore" }));
    });
  });
  server.maxConnections = maxConnections + SPARE_CONNECTIONS;
  await listen(server, address);
  return {
    banner: bannerOf(server, address),
    ended: new Promise(() => {}),
    async [Symbol.asyncDispose]() {
      sockets.close();
      server.close();
      server.closeIdleConnections();
    },
  };
}

function isForeign(request: IncomingMessage, address: ListenWebSocketOptions["address"]): boolean {
  if (request.headers.origin !== undefined) return true;
  // Only a loopback listener is exposed to rebinding; others are reached under names we cannot know, with a token.
  if (address.kind === "unix" || !isLoopback(address.host)) return false;
  const host = (request.headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return host !== "localhost" && !(isIP(host) !== 0 && isLoopback(host));
}

function refuse(
  socket: Duplex,
  { status, body, lingerMs }: { status: 401 | 403 | 503; body: string; lingerMs: number },
): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Whoever is turned away and does not go keeps no place.
  const late = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.resume().once("close", () => clearTimeout(late));
}

async function listen(server: Server, address: ListenWebSocketOptions["address"]): Promise<void> {
  if (address.kind === "unix") {
    await removeDeadSocket(address.path);
    // The file is made inside this call: with the mask set, nobody else can connect, not even for a moment.
    const mask = process.umask(0o177);
    server.listen({ path: address.path });
    process.umask(mask);
  } else {
    server.listen({ host: address.host, port: address.port });
  }
  try {
    await once(server, "listening");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
    const why =
      code === "EADDRINUSE" ? "is already in use: choose another, or port 0" : `cannot be used (${code})`;
    throw new AppServerError("ERR_APP_SERVER_LISTEN", `${what} ${why}`);
  }
}

/** A socket file that nobody answers on is left over from a killed server; one that answers is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return;
  const probe = connect(path);
  const alive = await Promise.race([
    once(probe, "connect").then(() => true),
    once(probe, "error").then(() => false),
  ]).catch(() => false);
  probe.destroy();
  if (!alive) await unlink(path);
}

function bannerOf(server: Server, address: ListenWebSocketOptions["address"]): readonly string[] {
  if (address.kind === "unix") return ["hawser app-server (unix socket)", `listening on: ${address.path}`];
  const { port } = server.address() as AddressInfo;
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  return [
    "hawser app-server (WebSockets)",
    `listening on: ws://${host}:${port}`,
    `readyz: http://${host}:${port}/readyz`,
    `healthz: http://${host}:${port}/healthz`,
  ];
}
