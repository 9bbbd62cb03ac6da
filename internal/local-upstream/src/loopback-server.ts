import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Fault } from "./faults.ts";
import type { SeenLog, SeenRequest, UpstreamServer } from "./seen-log.ts";

/** A request whose body is read and which stands in the log. */
export interface Exchange {
  readonly seen: SeenRequest;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The body's bytes as they came. */
  readonly body: Buffer;
  readonly url: URL;
}

export interface LoopbackServer {
  readonly port: number;
  readonly origin: string;
  close(): Promise<void>;
}

export interface LoopbackServerOptions {
  name: UpstreamServer;
  log: SeenLog;
  handle: (exchange: Exchange) => void | Promise<void>;
  tls?: { key: string; cert: string } | undefined;
}

/** Listens on a free port of 127.0.0.1, reads each body, logs the request and hands it over. */
export async function startLoopbackServer(options: LoopbackServerOptions): Promise<LoopbackServer> {
  const { name, log, handle, tls } = options;
  const sockets = new Map<Socket, number>();
  const open = new Set<Socket>();
  let accepted = 0;

  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(`http://${request.headers.host ?? "loopback"}${request.url ?? "/"}`);
    const headers: Record<string, string> = {};
    for (const [header, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers[header] = Array.isArray(value) ? value.join(", ") : value;
    }
    const seen = log.add({
      server: name,
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers,
      bodyJson: parseBody(body, headers),
      connection: sockets.get(request.socket) ?? 0,
      atMs: Date.now(),
    });
    response.on("finish", () => log.answered(seen, response.statusCode));
    await handle({ seen, request, response, body, url });
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    onRequest(request, response).catch(() => {
      // Whatever went wrong, the client must see the end of it rather than wait.
      if (!response.headersSent && !response.destroyed) sendJson(response, 500, { error: "server_error" });
      else response.destroy();
    });
  };
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.keepAliveTimeout = 60_000;
  server.on("clientError", (_error, socket) => socket.destroy());
  // With TLS a connection is a socket of its own before, and beside, the one that requests come from.
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    accepted += 1;
    sockets.set(socket, accepted);
    socket.on("error", () => {}); // A client that leaves in the middle is no failure of the upstream.
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    port,
    origin: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
  response.end(JSON.stringify(body));
}

export function sendRedirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, "cache-control": "no-store" });
  response.end();
}

/**
 * Applies the fault. Says `handled` when the request is dealt with; otherwise the caller goes on, and after `lose` its
 * answer ends as a closed connection.
 */
export function applyFault({ response }: Exchange, fault: Fault | undefined): "handled" | "goOn" {
  if (fault === undefined) return "goOn";
  if (fault === "stall") return "handled";
  if (fault === "cut") {
    response.socket?.destroy();
    return "handled";
  }
  if (fault === "lose") {
    loseAnswer(response);
    return "goOn";
  }
  response.writeHead(fault).end();
  return "handled";
}

/** Nothing written to this response reaches the wire; its end closes the connection. */
function loseAnswer(response: ServerResponse): void {
  const { socket } = response;
  response.write = () => true;
  response.flushHeaders = () => {};
  response.end = () => {
    socket?.destroy();
    return response;
  };
}

function parseBody(body: Buffer, headers: Record<string, string>): unknown {
  if (body.length === 0) return undefined;
  const text = decode(body, headers["content-encoding"]).toString("utf8");
  const [mediaType = ""] = (headers["content-type"] ?? "").split(";");
  if (mediaType.trim().toLowerCase() === "application/x-www-form-urlencoded") {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // Not JSON: the handler answers 400 where it needs some.
  }
}

function decode(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  if (encoding === "zstd") return zstdDecompressSync(body);
  return body;
}
