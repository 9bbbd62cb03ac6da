import { TransportError } from "./errors.ts";
import { headerValue } from "./header-value.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { SENSITIVE_HEADERS } from "./sensitive-headers.ts";
import { isReplayable } from "./wire-body.ts";

export interface RedirectHopOptions {
  readonly sameOriginOnly: boolean;
  /** Lower-case names that do not cross origins, beside the ones that never do. */
  readonly sensitiveHeaders: ReadonlySet<string>;
}

/**
 * The request that a redirect asks for (RFC 9110, 15.4), or undefined when the response stands as it is: not a
 * redirect, no usable Location, or a body that cannot be sent again. Throws for a hop that must not be made.
 */
export function redirectHop(
  request: HttpRequest,
  response: HttpResponse,
  options: RedirectHopOptions,
): HttpRequest | undefined {
  if (!isRedirectStatus(response.status)) return undefined;
  const target = redirectTarget(request.url, headerValue(response.headers, "location"));
  if (target === undefined) return undefined;

  const dropsBody = becomesGet(request.method, response.status);
  if (!dropsBody && !isReplayable(request)) return undefined;

  if (target.protocol !== "http:" && target.protocol !== "https:") {
    throw refused(request.url, `the redirect leads to ${JSON.stringify(target.protocol.slice(0, 20))}`);
  }
  if (request.url.protocol === "https:" && target.protocol === "http:") {
    throw refused(request.url, "the redirect leads from https to http");
  }
  const crossesOrigin = target.origin !== request.url.origin;
  if (crossesOrigin && options.sameOriginOnly) {
    throw refused(request.url, "the redirect leads to another origin");
  }

  const headers = request.headers.filter(([name]) => {
    const lower = name.toLowerCase();
    if (dropsBody && BODY_HEADERS.has(lower)) return false;
    return !(crossesOrigin && (SENSITIVE_HEADERS.has(lower) || options.sensitiveHeaders.has(lower)));
  });
  return dropsBody
    ? { ...request, url: target, method: "GET", headers, body: undefined }
    : { ...request, url: target, headers: headers as HeaderList };
}

/** 300 and 304 name no single place to go to. */
export function isRedirectStatus(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function redirectTarget(base: URL, location: string | undefined): URL | undefined {
  if (location === undefined || !URL.canParse(location, base.href)) return undefined;
  const target = new URL(location, base);
  // Credentials in a Location are the server's words, not the caller's.
  target.username = "";
  target.password = "";
  target.hash = "";
  return target;
}

function becomesGet(method: string, status: number): boolean {
  const upper = method.toUpperCase();
  if (status === 303) return upper !== "GET" && upper !== "HEAD";
  return (status === 301 || status === 302) && upper === "POST";
}

function refused(url: URL, message: string): TransportError {
  return new TransportError("ERR_TRANSPORT_REDIRECT_REFUSED", message, { url, sent: "yes" });
}

const BODY_HEADERS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
  "digest",
  "content-digest",
  "transfer-encoding",
]);
