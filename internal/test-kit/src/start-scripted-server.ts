import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { IssuedCertificate } from "./self-signed-ca.ts";

/** One request as it arrived. */
export interface SeenHttpRequest {
  readonly method: string;
  /** Path with query, as on the request line. */
  readonly path: string;
  /** Names in lower case; lines of one name joined with ", " (cookie with "; "), as Node joins them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name, value, in the order and spelling of the wire. */
  readonly rawHeaders: readonly (readonly [string, string])[];
  /** The whole body; empty with `bodies: "leave"`. */
  readonly body: string;
  /** Which connection carried it: 1 is the first one accepted. */
  readonly connection: number;
  readonly atMs: number;
}

export interface ScriptedAnswer {
  /** @defaultValue 200 */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  /** Sent as JSON with its content type. */
  readonly json?: unknown;
  /** Sent as it is; an iterable's pieces are each written as they come, and each flushed. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined;
}

/** For answers that no `ScriptedAnswer` describes. */
export interface ScriptedExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** 1 for the first request of the server. */
  readonly count: number;
  /** Aborted when the client goes away before the answer is complete. */
  readonly gone: AbortSignal;
}

/** Returning nothing means the handler answers (or never answers) through `exchange.response` itself. */
export type ScriptedHandler = (
  seen: SeenHttpRequest,
  exchange: ScriptedExchange,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that answers by itself returns nothing at all
) => ScriptedAnswer | undefined | void | Promise<ScriptedAnswer | undefined | void>;

export interface ScriptedServerOptions {
  /** @defaultValue answers 200 with an empty body */
  handler?: ScriptedHandler | undefined;
  /** Speaks TLS with this certificate; the URL then says `localhost`. */
  tls?: IssuedCertificate | undefined;
  /** `"leave"` calls the handler as soon as the head arrived and does not touch the body. @defaultValue "read" */
  bodies?: "read" | "leave" | undefined;
}

export interface ScriptedServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/`, or `https://localhost:PORT/` with TLS. */
  readonly url: URL;
  readonly port: number;
  /** Requests in the order in which they were complete (head only with `bodies: "leave"`). */
  readonly seen: readonly SeenHttpRequest[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** Resolves once at least `count` requests match. Rejects on disposal. */
  waitFor(count: number, predicate?: (seen: SeenHttpRequest) => boolean): Promise<readonly SeenHttpRequest[]>;
  /** Cuts every open connection; the server goes on accepting. */
  cutConnections(): void;
  /** The same as disposal: cuts everything and stops listening. */
  close(): Promise<void>;
}

/** A loopback HTTP/1.1 server on a free port that answers from a script and records what it saw. */
export async function startScriptedServer(options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const { handler = () => ({}), tls, bodies = "read" } = options;
  const seen: SeenHttpRequest[] = [];
  const sockets = new Map<Socket, number>();
  const open = new Set<Socket>();
  const waiting = new Set<() => void>();
  let connections = 0;
  let closed = false;
  let count = 0;

  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const gone = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) gone.abort(new Error("the client went away"));
    });
    answer(request, response, gone.signal).catch((error: unknown) => {
      // A broken script must be seen by the test's client, and a client that left is no failure of the script.
      if (gone.signal.aborted) return;
      if (!response.headersSent) response.writeHead(599, { "content-type": "text/plain" });
      response.end(`script failed: ${error instanceof Error ? error.message : "?"}`);
    });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse, gone: AbortSignal) => {
    const body = bodies === "read" ? await readText(request) : "";
    const one = describeRequest(request, body, sockets.get(request.socket) ?? 0);
    seen.push(one);
    count += 1;
    for (const check of waiting) check();
    const result = await handler(one, { request, response, socket: request.socket, count, gone });
    if (result) await writeAnswer(response, result, gone);
  };

  const server: Server = tls
    ? createTlsServer({ key: tls.key, cert: tls.cert }, onRequest)
    : createServer(onRequest);
  server.keepAliveTimeout = 60_000;
  server.on("clientError", (_error, socket) => socket.destroy());
  // With TLS a connection is a socket of its own before, and beside, the one that requests come from.
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    connections += 1;
    sockets.set(socket, connections);
    socket.on("error", () => {}); // A client that resets is what many scripts are about.
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const close = async () => {
    if (closed) return;
    closed = true;
    for (const check of waiting) check();
    const done = once(server, "close");
    server.close();
    server.closeAllConnections();
    for (const socket of open) socket.destroy();
    await done;
  };

  return {
    url: new URL(tls ? `https://localhost:${port}/` : `http://127.0.0.1:${port}/`),
    port,
    seen,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    waitFor(wanted, predicate = () => true) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const matching = seen.filter(predicate);
          if (matching.length < wanted && !closed) return;
          waiting.delete(check);
          if (matching.length >= wanted) resolve(matching);
          else reject(new Error(`the server closed after ${matching.length} of ${wanted} requests`));
        };
        waiting.add(check);
        check();
      });
    },
    cutConnections() {
      for (const socket of open) socket.destroy();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function describeRequest(request: IncomingMessage, body: string, connection: number): SeenHttpRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const rawHeaders: [string, string][] = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    rawHeaders.push([request.rawHeaders[at] ?? "", request.rawHeaders[at + 1] ?? ""]);
  }
  const { method = "", url: path = "" } = request;
  return { method, path, headers, rawHeaders, body, connection, atMs: Date.now() };
}

async function writeAnswer(response: ServerResponse, answer: ScriptedAnswer, gone: AbortSignal) {
  const { status = 200, headers = {}, json, body } = answer;
  if (json !== undefined) {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(json));
    return;
  }
  response.writeHead(status, headers);
  if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
    response.end(body);
    return;
  }
  response.flushHeaders();
  for await (const piece of body) {
    if (gone.aborted) return;
    if (!response.write(piece)) await once(response, "drain", { signal: gone });
  }
  response.end();
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
