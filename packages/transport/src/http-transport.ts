import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";

/** Sends one request once. A status is a response, not an error; a `TransportError` means there is none. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<HttpResponse>;
}

/** A policy: adds one behaviour to a transport and leaves everything else as it found it. */
export type TransportWrapper = (next: HttpTransport) => HttpTransport;
