import type { CredentialHandle } from "@hawser/oauth-store";
import type { HeaderList, HttpRequest, HttpResponse, HttpTransport } from "@hawser/transport";
import type { BearerSource, BearerView } from "./bearer-source.ts";
import { challengesOf, challengeText, insufficientScope } from "./challenge.ts";
import { credentialFailure, isAuthorizationRequired } from "./credential-failure.ts";
import { McpHttpError } from "./errors.ts";
import { mcpCallKey } from "./mcp-call.ts";
import type { MessageKind } from "./message-kind.ts";
import { isInsideResource } from "./resource.ts";

export interface BearerSeamOptions {
  readonly transport: HttpTransport;
  /** The MCP server's URL. Nothing of the login leaves it. */
  readonly resource: URL;
  readonly session?: BearerSource | undefined;
  /** Sent inside the resource only. With an `authorization` among them the session is not used. */
  readonly headers?: HeaderList | undefined;
  /** Longest wait for a new token where no caller has a deadline. */
  readonly recoveryWaitMs: number;
}

export interface BearerSeam {
  /** Has a refresh that is due done before a request's own time runs. Its failure is judged when it is sent. */
  warm(signal: AbortSignal): Promise<void>;
  /** Sends one request for `kind` of message; GET and DELETE have none. Throws `McpHttpError` as `judge` says. */
  exchange(request: HttpRequest, kind?: MessageKind): Promise<HttpResponse>;
}

type Handle = CredentialHandle<BearerView>;

/**
 * The only place that puts a bearer token on the wire, so that a 401 is charged to the token that was really sent.
 * It answers one rejection with one recovery and one more send; a rejection of that one is final.
 */
export function createBearerSeam(options: BearerSeamOptions): BearerSeam {
  const { transport, resource, headers = [], recoveryWaitMs } = options;
  const isStatic = headers.some(([name]) => name.toLowerCase() === "authorization");
  const session = isStatic ? undefined : options.session;

  return {
    async warm(signal) {
      await session?.ensureFresh({ signal }).catch(() => {});
    },

    async exchange(request, kind) {
      // A redirect can lead elsewhere within the origin: such a hop says nothing about who we are.
      if (!isInsideResource(resource, request.url)) return transport.send(withoutLogin(request));
      const bare = { ...request, headers: withDefaults(withoutAuthorization(request.headers), headers) };

      const sent = session && (await currentHandle(session, kind, request));
      request.signal?.throwIfAborted();
      const first = await transmit(transport, bare, sent);
      if (session === undefined || sent === undefined) return judge(first, request);
      if (first.status !== 401 && !isStaleScope(first, sent, session)) return judge(first, request);

      const challenge = challengeText(first.headers);
      await first.cancel();
      if (kind === "cancellation") throw notRepeated();
      if (request.operation?.get(mcpCallKey)?.takeAuthorizationRecovery() === false) {
        throw rejectedAgain(challenge);
      }
      const fresh = await replacement(session, sent, request, recoveryWaitMs, challenge);
      if (!isReplayable(request)) throw notRepeated();
      // The wait may have outlived the caller.
      request.signal?.throwIfAborted();
      const second = await transmit(transport, bare, fresh);
      if (second.status !== 401) return judge(second, request);

      const finalChallenge = challengeText(second.headers);
      await second.cancel();
      throw rejectedAgain(finalChallenge);
    },
  };
}

/** What to send now; undefined when nobody is logged in: the server may want no login. */
async function currentHandle(
  session: BearerSource,
  kind: MessageKind | undefined,
  request: HttpRequest,
): Promise<Handle | undefined> {
  // A notice that nobody waits for any more never causes a refresh.
  if (kind === "cancellation") return session.snapshot();
  try {
    return await session.ensureFresh({ signal: request.signal });
  } catch (error) {
    request.signal?.throwIfAborted();
    if (isAuthorizationRequired(error) && session.snapshot() === undefined) return undefined;
    throw credentialFailure(error);
  }
}

async function replacement(
  session: BearerSource,
  rejected: Handle,
  request: HttpRequest,
  recoveryWaitMs: number,
  challenge: string | undefined,
): Promise<Handle> {
  // A call has its own deadline; work that no caller waits for gets ours.
  const isOwned = request.operation?.get(mcpCallKey) !== undefined;
  const signal = withinMs(isOwned ? undefined : recoveryWaitMs, request.signal);
  try {
    return await session.recover(rejected, { signal });
  } catch (error) {
    request.signal?.throwIfAborted();
    throw credentialFailure(error, challenge);
  }
}

function withinMs(limitMs: number | undefined, signal: AbortSignal | undefined): AbortSignal | undefined {
  if (limitMs === undefined) return signal;
  const limit = AbortSignal.timeout(limitMs);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

async function transmit(
  next: HttpTransport,
  request: HttpRequest,
  handle: Handle | undefined,
): Promise<HttpResponse> {
  const call = request.operation?.get(mcpCallKey);
  const headers: HeaderList =
    handle === undefined
      ? request.headers
      : [...request.headers, ["authorization", `Bearer ${handle.view.accessToken}`]];
  call?.requestLeft();
  const response = await next.send({ ...request, headers }).catch((error: unknown) => {
    call?.requestReturned();
    throw error;
  });
  // After an error status the server has nothing left to do for this request; after 2xx it may still be at work.
  if (response.status >= 300) call?.requestReturned();
  return response;
}

/** A 403 for want of a scope that was answered to a token since replaced says nothing about the new one. */
function isStaleScope(response: HttpResponse, sent: Handle, session: BearerSource): boolean {
  if (response.status !== 403 || insufficientScope(challengesOf(response.headers)) === undefined)
    return false;
  const now = session.snapshot();
  return now !== undefined && (now.lineage !== sent.lineage || now.generation > sent.generation);
}

/** Gives the statuses their meaning that MCP authorization and sessions define; leaves every other one alone. */
async function judge(response: HttpResponse, request: HttpRequest): Promise<HttpResponse> {
  const challenge = challengeText(response.headers);
  if (response.status === 401) {
    await response.cancel();
    const text = "the server wants a login";
    throw new McpHttpError("ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", text, { challenge, status: 401 });
  }
  if (response.status === 403) {
    const missing = insufficientScope(challengesOf(response.headers));
    if (missing === undefined) return response;
    await response.cancel();
    const text = "the login lacks a scope that the server asks for";
    throw new McpHttpError("ERR_MCP_HTTP_INSUFFICIENT_SCOPE", text, { ...missing, challenge, status: 403 });
  }
  if (
    response.status === 404 &&
    request.method !== "DELETE" &&
    hasHeader(request.headers, "mcp-session-id")
  ) {
    await response.cancel();
    const text = "the server no longer knows this session";
    throw new McpHttpError("ERR_MCP_HTTP_SESSION_EXPIRED", text, { retry: "now", status: 404 });
  }
  return response;
}

function rejectedAgain(challenge: string | undefined): McpHttpError {
  const text = "the server rejected the token, and the one that replaced it";
  const details = { challenge, status: 401, reason: "rejected-again" };
  return new McpHttpError("ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", text, details);
}

function notRepeated(): McpHttpError {
  const text = "the server rejected the token; this message was not repeated";
  return new McpHttpError("ERR_MCP_HTTP_TOKEN_EXPIRED", text, { retry: "now", status: 401 });
}

function isReplayable({ body }: HttpRequest): boolean {
  return body === undefined || typeof body === "string" || body instanceof Uint8Array || "json" in body;
}

function hasHeader(headers: HeaderList, wanted: string): boolean {
  return headers.some(([name]) => name.toLowerCase() === wanted);
}

function withoutAuthorization(headers: HeaderList): HeaderList {
  return hasHeader(headers, "authorization")
    ? headers.filter(([name]) => name.toLowerCase() !== "authorization")
    : headers;
}

function withDefaults(headers: HeaderList, defaults: HeaderList): HeaderList {
  if (defaults.length === 0) return headers;
  return [...defaults.filter(([name]) => !hasHeader(headers, name.toLowerCase())), ...headers];
}

const loginHeaders: ReadonlySet<string> = new Set(["authorization", "mcp-session-id", "proxy-authorization"]);

function withoutLogin(request: HttpRequest): HttpRequest {
  return { ...request, headers: request.headers.filter(([name]) => !loginHeaders.has(name.toLowerCase())) };
}
