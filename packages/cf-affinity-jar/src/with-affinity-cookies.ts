import type { HttpRequest, HttpResponse, TransportWrapper } from "@hawser/transport";
import type { AffinityJar } from "./create-affinity-jar.ts";

/**
 * Every request takes along what the jar has for its host, and every response, whatever its status, may change it. A
 * caller's own cookie header goes out alone and unchanged. Stands inside redirects, so that each hop is asked for its
 * own host.
 */
export function withAffinityCookies(jar: AffinityJar): TransportWrapper {
  return (next) => ({
    async send(request) {
      if (!jar.allows(request.url)) return next.send(request);
      const response = await next.send(withCookies(jar, request));
      jar.store(response.url, setCookieLines(response));
      return response;
    },
  });
}

function withCookies(jar: AffinityJar, request: HttpRequest): HttpRequest {
  if (request.headers.some(([name]) => name.toLowerCase() === "cookie")) return request;
  const cookies = jar.cookieHeader(request.url);
  return cookies === undefined ? request : { ...request, headers: [...request.headers, ["cookie", cookies]] };
}

function setCookieLines(response: HttpResponse): readonly string[] {
  const lines: string[] = [];
  for (const [name, value] of response.headers) {
    if (name.toLowerCase() === "set-cookie") lines.push(value);
  }
  return lines;
}
