import { TransportError } from "./errors.ts";
import { headerValue } from "./header-value.ts";
import type { HttpRequest } from "./http-request.ts";

/** A request body as it goes on the wire. */
export interface WireBody {
  /** Undefined when the request has no body. */
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** What to add when the caller has not said it. */
  readonly contentType: string | undefined;
}

/** Turns the body into bytes, or into a stream of them that can be sent once. */
export function wireBody(request: HttpRequest): WireBody {
  const { body, headers, url } = request;
  if (body === undefined) return { bytes: undefined, contentType: undefined };
  if (typeof body === "string") return { bytes: Buffer.from(body), contentType: undefined };
  if (body instanceof Uint8Array) return { bytes: body, contentType: undefined };
  if (Symbol.asyncIterator in body) return { bytes: body, contentType: undefined };
  const contentType = headerValue(headers, "content-type") === undefined ? "application/json" : undefined;
  return { bytes: Buffer.from(serialized(body.json, url)), contentType };
}

/** Whether the same request object can be sent a second time with the same bytes. */
export function isReplayable(request: HttpRequest): boolean {
  const { body } = request;
  return (
    body === undefined ||
    typeof body === "string" ||
    body instanceof Uint8Array ||
    !(Symbol.asyncIterator in body)
  );
}

function serialized(value: unknown, url: URL): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // The engine's message quotes property names of the body.
    text = undefined;
  }
  if (text === undefined) {
    throw new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "the request body cannot be written as JSON", {
      url,
    });
  }
  return text;
}
