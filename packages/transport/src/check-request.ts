import { TransportError } from "./errors.ts";
import type { HttpRequest } from "./http-request.ts";

/** Refuses what must not be sent, before anything is opened for it. */
export function checkRequest(request: HttpRequest): void {
  checkUrl(request.url);
  checkSendable(request);
  checkDeadline(request);
}

/** The part of it that is about the URL alone. */
export function checkUrl(url: URL): void {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "only http and https URLs can be sent", {
      url,
    });
  }
  // Credentials in a URL end up in logs; undici would turn them into a header without a word.
  if (url.username !== "" || url.password !== "") {
    throw new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "a URL with userinfo is refused", { url });
  }
}

/** The part of it that can change from one sending to the next, without the deadline. */
export function checkSendable({ method, url, signal, operation }: HttpRequest): void {
  if (method.toUpperCase() === "CONNECT") {
    throw new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "CONNECT is not a request", { url });
  }
  if (signal?.aborted === true) {
    throw new TransportError("ERR_TRANSPORT_ABORTED", labelled(operation, "aborted by the caller"), {
      url,
      cause: signal.reason,
    });
  }
}

/** Milliseconds that the operation has left; it is too late to send at 0. */
export function checkDeadline({ url, operation }: HttpRequest): number {
  if (operation === undefined) return Number.POSITIVE_INFINITY;
  const remainingMs = operation.remainingMs();
  if (remainingMs > 0) return remainingMs;
  throw new TransportError("ERR_TRANSPORT_TIMEOUT", labelled(operation, "the operation's deadline passed"), {
    url,
    retry: "never",
  });
}

/** The operation's label before the text, when there is one. */
export function labelled(operation: HttpRequest["operation"], message: string): string {
  return operation === undefined ? message : `${operation.label}: ${message}`;
}
