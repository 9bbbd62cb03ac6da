import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { McpHttpError } from "./errors.ts";

export interface CallbackServerOptions {
  readonly serverUrl: URL;
  /** 0 for any free one. */
  readonly port: number;
  readonly state: string;
  readonly issuer: string;
  /** The authorization server says that it always sends `iss`. */
  readonly issuerRequired: boolean;
}

export interface CallbackServer {
  readonly redirectUri: string;
  /** The authorization code, or `ERR_MCP_HTTP_LOGIN_FAILED` with the server's `error`. */
  readonly code: Promise<string>;
  close(): void;
}

/**
 * Waits on 127.0.0.1 for one answer of the authorization server. What is not that answer (another path, method or host,
 * a wrong state or issuer, a parameter twice) gets 400 and changes nothing.
 */
export async function startCallbackServer(options: CallbackServerOptions): Promise<CallbackServer> {
  const path = `/callback/${callbackId(options.serverUrl)}`;
  const { promise: code, resolve, reject } = Promise.withResolvers<string>();
  // Whoever waits for it hears of a failure; a login that was given up waits no more.
  code.catch(() => {});
  let answered = false;

  const server = createServer((request, response) => {
    const answer = answered ? undefined : readCallback(request, { ...options, path, port: port() });
    if (answer === undefined)
      return page(response, 400, "This is not an answer to a login that is under way.");
    answered = true;
    if ("code" in answer) {
      page(response, 200, "Authentication complete. You may close this window.");
      resolve(answer.code);
    } else {
      page(response, 400, "The login was refused. You may close this window.");
      const text = "the authorization server refused the login";
      reject(new McpHttpError("ERR_MCP_HTTP_LOGIN_FAILED", text, { reason: answer.error }));
    }
  });
  const port = () => (server.address() as AddressInfo).port;
  server.listen(options.port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    const text = `nothing can listen on 127.0.0.1:${options.port} for the end of the login`;
    throw new McpHttpError("ERR_MCP_HTTP_OPTIONS", text, { reason: "callback-port" });
  }
  server.unref();

  return {
    redirectUri: `http://127.0.0.1:${port()}${path}`,
    code,
    close: () => {
      server.close();
      server.closeIdleConnections();
    },
  };
}

/** Tells the callbacks of two servers apart, so that one's answer cannot end the other's login. */
function callbackId(serverUrl: URL): string {
  const url = new URL(serverUrl);
  url.hash = "";
  return createHash("sha256").update(url.href).digest().subarray(0, 9).toString("base64url");
}

type CallbackAnswer = { readonly code: string } | { readonly error: string };

function readCallback(
  request: IncomingMessage,
  expected: CallbackServerOptions & { readonly path: string },
): CallbackAnswer | undefined {
  // A page that reaches us under another name (rebinding) is not the browser we sent away.
  if (request.method !== "GET" || request.headers.host !== `127.0.0.1:${expected.port}`) return undefined;
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
  if (pathname !== expected.path) return undefined;
  const names = [...searchParams.keys()];
  if (new Set(names).size !== names.length) return undefined;
  const { code, error, state, iss } = Object.fromEntries(searchParams) as Partial<Record<string, string>>;
  if (state === undefined || !isSame(state, expected.state)) return undefined;
  if (iss === undefined ? expected.issuerRequired : iss !== expected.issuer) return undefined;
  if ((code === undefined) === (error === undefined)) return undefined;
  return code === undefined ? { error: plainCode(error ?? "") } : { code };
}

/** An OAuth error value has few characters (RFC 6749, 4.1.2.1); anything else is not repeated. */
export function plainCode(error: string): string {
  for (const character of error) {
    const isPlain = (character >= "a" && character <= "z") || character === "_";
    if (!isPlain) return "unreadable";
  }
  return error === "" || error.length > 64 ? "unreadable" : error;
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function page(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    connection: "close",
  });
  response.end(`<!doctype html><meta charset="utf-8"><title>Login</title><p>${text}</p>`);
}
