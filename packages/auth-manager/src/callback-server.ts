import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CallbackPage, pageHeaders, renderPage } from "./callback-page.ts";
import { AuthManagerError } from "./errors.ts";

export interface CallbackServerOptions {
  /** Tried in this order; 0 is any free port. */
  readonly ports: readonly number[];
  /** What the browser must bring back. */
  readonly state: string;
  /** Called once, for the first callback with the right state. What it resolves with is shown to the person. */
  readonly onCallback: (query: URLSearchParams) => Promise<CallbackPage>;
}

export interface CallbackServer {
  /** `http://127.0.0.1:PORT/auth/callback` */
  readonly redirectUri: string;
  /** Resolves when the port is free again. A page being sent is finished first. */
  close(): Promise<void>;
}

const callbackPath = "/auth/callback";

/**
 * Waits on loopback for the browser to come back (RFC 8252, section 7.3). Answers GET for exactly this host and path;
 * a wrong state changes nothing, the right one is taken once. Throws `ERR_AUTH_MANAGER_CALLBACK_PORT_BUSY`.
 */
export async function startCallbackServer(options: CallbackServerOptions): Promise<CallbackServer> {
  const { ports, state, onCallback } = options;
  let taken = false;
  let host = "";
  const server = createServer(
    { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 1 },
    (request, response) => {
      const refusal = refuse(request, host);
      if (refusal !== undefined) return answer(response, refusal);
      const query = new URL(request.url ?? "/", `http://${host}`).searchParams;
      if (!isSame(only(query, "state"), state)) return answer(response, wrongState);
      if (taken) return answer(response, alreadyUsed);
      taken = true;
      onCallback(query).then(
        (page) => answer(response, page),
        () => answer(response, failure),
      );
    },
  );
  server.maxConnections = 32;
  const port = await listen(server, ports);
  host = `127.0.0.1:${port}`;
  return {
    redirectUri: `http://${host}${callbackPath}`,
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      // A browser that keeps a half-sent exchange open must not keep the port.
      const grace = setTimeout(() => server.closeAllConnections(), 1000);
      await closed.finally(() => clearTimeout(grace));
    },
  };
}

async function listen(server: Server, ports: readonly number[]): Promise<number> {
  for (const port of ports) {
    try {
      server.listen({ host: "127.0.0.1", port, exclusive: true });
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    } catch {
      // Taken or not allowed: the next one may do.
    }
  }
  throw new AuthManagerError(
    "ERR_AUTH_MANAGER_CALLBACK_PORT_BUSY",
    `No port for the login callback is free on 127.0.0.1 (tried ${ports.join(", ")}).`,
    { retry: "after" },
  );
}

function refuse(request: IncomingMessage, host: string): CallbackPage | undefined {
  // A page elsewhere that resolves its own name to this machine sends its own name here.
  if (request.headers.host !== host) return { status: 403, title: "Forbidden", text: "Unexpected host." };
  if (request.method !== "GET") return { status: 405, title: "Not allowed", text: "Only GET is answered." };
  const path = (request.url ?? "").split("?", 1)[0];
  return path === callbackPath ? undefined : { status: 404, title: "Not found", text: "Nothing is here." };
}

function answer(response: ServerResponse, page: CallbackPage): void {
  response.writeHead(page.status, page.status === 405 ? { ...pageHeaders, allow: "GET" } : pageHeaders);
  response.end(renderPage(page));
}

/** A parameter given once; twice is nobody's honest answer. */
function only(query: URLSearchParams, name: string): string {
  const values = query.getAll(name);
  return values.length === 1 ? (values[0] ?? "") : "";
}

/** Compares hashes, so that neither length nor content shows in the time taken. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

const wrongState: CallbackPage = {
  status: 400,
  title: "State mismatch",
  text: "This does not belong to the login that is waiting.",
};
const alreadyUsed: CallbackPage = {
  status: 409,
  title: "Already used",
  text: "This login was answered before.",
};
const failure: CallbackPage = {
  status: 500,
  title: "Login failed",
  text: "The login could not be completed.",
};
