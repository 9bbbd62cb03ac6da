import { isTransportError } from "./errors.ts";
import { fetchRequestBody } from "./fetch-request-body.ts";
import type { HeaderList, HttpLimits, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import type { HttpTransport } from "./http-transport.ts";
import type { Operation } from "./operation.ts";
import { type RedirectOptions, withRedirects } from "./with-redirects.ts";

/** A function that libraries take in the place of `fetch`. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface ToFetchOptions {
  /** Bounds of every request. @defaultValue the transport's own */
  readonly limits?: HttpLimits | undefined;
  /** What every request belongs to; called per request. @defaultValue none */
  readonly operation?: (() => Operation | undefined) | undefined;
  /** How redirects are followed when `init.redirect` says `follow` or nothing. @defaultValue 10 hops, any origin */
  readonly redirects?: Omit<RedirectOptions, "mode"> & { readonly mode?: "follow" | "same-origin" };
}

/**
 * A `fetch` on top of a transport, for libraries that want one. The transport must not follow redirects itself:
 * `init.redirect` decides here. A `TransportError` becomes what fetch promises, a `TypeError` "fetch failed" with
 * the error as its `cause`, and an abort rejects with the signal's reason; any other error passes as it is. The
 * response's body is read from the transport only as far as it is read from the response.
 */
export function toFetch(transport: HttpTransport, options: ToFetchOptions = {}): FetchLike {
  const { limits, operation, redirects = {} } = options;
  const byMode = {
    follow: withRedirects({ mode: "follow", ...redirects })(transport),
    manual: transport,
    error: withRedirects({ mode: "error" })(transport),
  };

  return async (input, init) => {
    const given = input instanceof Request ? fromRequest(input, init) : { url: new URL(input), init };
    const { url, init: { method = "GET", headers, body, signal, redirect = "follow" } = {} } = given;
    const { bytes, contentType } = await fetchRequestBody(body);
    const list = headerList(headers);
    if (contentType !== undefined && !list.some(([name]) => name === "content-type")) {
      list.push(["content-type", contentType]);
    }
    const request: HttpRequest = {
      method: STANDARD_METHODS.has(method.toUpperCase()) ? method.toUpperCase() : method,
      url,
      headers: list,
      body: bytes,
      signal: signal ?? undefined,
      limits,
      operation: operation?.(),
    };
    let response: HttpResponse;
    try {
      response = await byMode[redirect].send(request);
    } catch (error) {
      throw asFetchFault(error, signal);
    }
    return asWebResponse(response, request);
  };
}

const STANDARD_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]);

function fromRequest(input: Request, init: RequestInit | undefined): { url: URL; init: RequestInit } {
  const { method, headers, body, signal, redirect } = input;
  return {
    url: new URL(input.url),
    init: { method, headers, body, signal, redirect, ...init },
  };
}

function headerList(headers: RequestInit["headers"]): [string, string][] {
  return headers === undefined ? [] : [...new Headers(headers)];
}

function asWebResponse(response: HttpResponse, { method, url, signal }: HttpRequest): Response {
  const { status } = response;
  if (status > 599) {
    void response.cancel();
    throw new TypeError("fetch failed: the status is not one of HTTP");
  }
  const bodyless = method === "HEAD" || NULL_BODY_STATUSES.has(status);
  // Nothing will ever be read from it, so nothing may hold the connection.
  if (bodyless) void response.cancel();
  const web = new Response(bodyless ? null : lazyStream(response, signal), {
    status,
    headers: byteStrings(response.headers),
  });
  return Object.defineProperties(web, {
    url: { value: response.url.href },
    redirected: { value: response.url.href !== url.href },
  });
}

const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);

/** Nothing is read ahead: the stream asks the transport when its own reader asks. */
function lazyStream(response: HttpResponse, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        iterator ??= response.body[Symbol.asyncIterator]();
        let step: IteratorResult<Uint8Array>;
        try {
          step = await iterator.next();
        } catch (error) {
          controller.error(asFetchFault(error, signal));
          return;
        }
        if (step.done === true) controller.close();
        else controller.enqueue(step.value);
      },
      cancel: () => response.cancel(),
    },
    { highWaterMark: 0 },
  );
}

/** The web's Headers hold bytes, one per character. */
function byteStrings(headers: HeaderList): [string, string][] {
  return headers.map(([name, value]) => [name, Buffer.from(value, "utf8").toString("latin1")]);
}

function asFetchFault(error: unknown, signal: AbortSignal | null | undefined): unknown {
  if (!isTransportError(error)) return error;
  if (error.code === "ERR_TRANSPORT_ABORTED" && signal?.aborted === true) return signal.reason;
  return new TypeError("fetch failed", { cause: error });
}
