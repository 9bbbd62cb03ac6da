import {
  type HeaderList,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  type Operation,
  toFetch,
} from "@hawser/transport";
import type { FetchLike } from "@modelcontextprotocol/client";
import { createBearerSeam } from "./bearer-seam.ts";
import type { BearerSource } from "./bearer-source.ts";
import { bodyFacts } from "./message-kind.ts";

export interface McpFetchOptions {
  /** The MCP server's URL, as the client gets it. The token is sent to it and below it, nowhere else. */
  readonly url: string | URL;
  /** Sends the requests, once each. */
  readonly transport: HttpTransport;
  /** Sent with every request inside the resource; names the caller sets win. @defaultValue none */
  readonly headers?: HeaderList | undefined;
  /** Longest wait for a new token. The refresh itself goes on. @defaultValue 30_000 */
  readonly recoveryWaitMs?: number | undefined;
  /** What a request belongs to; asked for each. @defaultValue none */
  readonly operation?: (() => Operation | undefined) | undefined;
}

/**
 * A `fetch` for an MCP client: it sends the session's token, refreshes it before it expires, and answers a 401 with one
 * recovery and one repetition, whatever the request: POST, GET or DELETE. Give it to the official client's
 * `StreamableHTTPClientTransport` as `fetch`, without an `authProvider`; make one for each client.
 *
 * It throws `McpHttpError` where a retry cannot help: `ERR_MCP_HTTP_AUTHORIZATION_REQUIRED`,
 * `…_INSUFFICIENT_SCOPE`, `…_SESSION_EXPIRED`, `…_CREDENTIAL_UNAVAILABLE`. A request that the client has cancelled
 * is not repeated. Other statuses are responses.
 */
export function createMcpFetch(session: BearerSource | undefined, options: McpFetchOptions): FetchLike {
  const { transport, headers, recoveryWaitMs = 30_000, operation } = options;
  const pending = new Map<string, AbortController>();
  const seam = createBearerSeam({
    transport,
    resource: new URL(options.url),
    session,
    headers,
    recoveryWaitMs,
  });

  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    if (request.method !== "POST") return seam.exchange(request);
    const { kind, id } = bodyFacts(request.body);
    const key = id === undefined ? undefined : requestKey(request.headers, id);
    if (kind === "cancellation" && key !== undefined) pending.get(key)?.abort(cancelled());
    if (kind !== "request" || key === undefined) return seam.exchange(request, kind);

    // The caller's deadline cannot be seen from here, its cancellation notice can: it ends the wait for a token.
    const cancellation = new AbortController();
    pending.set(key, cancellation);
    const signals = [cancellation.signal, ...(request.signal === undefined ? [] : [request.signal])];
    try {
      return await seam.exchange({ ...request, signal: AbortSignal.any(signals) }, kind);
    } finally {
      if (pending.get(key) === cancellation) pending.delete(key);
    }
  };
  return toFetch({ send }, { operation, redirects: { mode: "same-origin" } });
}

/** Ids count within a session: two clients on one fetch number their requests alike. */
function requestKey(headers: HeaderList, id: string | number): string {
  const session = headers.find(([name]) => name.toLowerCase() === "mcp-session-id")?.[1] ?? "";
  return `${session} ${typeof id} ${id}`;
}

function cancelled(): DOMException {
  return new DOMException("the client cancelled this request", "AbortError");
}
