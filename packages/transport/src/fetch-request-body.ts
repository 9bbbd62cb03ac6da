import type { HttpBody } from "./http-request.ts";

/**
 * A fetch body as a request carries it, with the content type that fetch gives it. What has a known length becomes
 * bytes; a stream stays one.
 */
export async function fetchRequestBody(
  body: RequestInit["body"],
): Promise<{ bytes: HttpBody | undefined; contentType: string | undefined }> {
  if (body === undefined || body === null) return { bytes: undefined, contentType: undefined };
  if (typeof body === "string") return { bytes: body, contentType: "text/plain;charset=UTF-8" };
  if (body instanceof Uint8Array) return { bytes: body, contentType: undefined };
  if (Symbol.asyncIterator in body) {
    return { bytes: body as AsyncIterable<Uint8Array>, contentType: undefined };
  }
  const web = new Response(body);
  return {
    bytes: new Uint8Array(await web.arrayBuffer()),
    contentType: web.headers.get("content-type") ?? undefined,
  };
}
