import { labelled } from "./check-request.ts";
import { contentCodings, decodedHeaders } from "./content-codings.ts";
import { type BodySource, sourcedResponse } from "./create-http-response.ts";
import { decodedBody } from "./decoded-body.ts";
import { TransportError } from "./errors.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";

export interface DecodedResponseOptions {
  readonly request: HttpRequest;
  readonly status: number;
  readonly headers: HeaderList;
  /** The body as it arrives. */
  readonly source: BodySource;
  readonly maxRatio: number;
  /** Decoded; 0 means no bound. */
  readonly maxBytes: number;
}

/** RFC 9110 knows no bound; nobody needs more, and each multiplies what comes out. */
const MAX_CODINGS = 2;

/**
 * The response with its codings undone, or undefined when there is nothing to undo. Throws `ERR_TRANSPORT_DECODING`
 * for more codings than two.
 */
export function decodedResponse(options: DecodedResponseOptions): HttpResponse | undefined {
  const { request, status, headers, source, maxRatio, maxBytes } = options;
  const { url, method, operation } = request;
  const hasNoBody = method === "HEAD" || status === 204 || status === 304;
  const codings = hasNoBody ? [] : contentCodings(headers);
  if (codings.length === 0) return undefined;
  if (codings.length > MAX_CODINGS) {
    throw new TransportError(
      "ERR_TRANSPORT_DECODING",
      labelled(operation, `the response body has more than ${MAX_CODINGS} codings`),
      { url, sent: "yes" },
    );
  }
  const body = decodedBody(source, { codings, maxRatio, maxBytes, url });
  return sourcedResponse(status, url, decodedHeaders(headers), body);
}
