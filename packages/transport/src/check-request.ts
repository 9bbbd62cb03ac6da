import { TransportError } from "./errors.ts";
import type { HttpRequest } from "./http-request.ts";

/** Refuses what must not be sent, before anything is opened for it. */
export function checkRequest(request: HttpRequest): void {
  checkUrl(request.url);
  checkSendable(request);
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

/** The part of it that can change from one sending to the next. */
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
  if (operation?.remainingMs() === 0) {
    throw new TransportError(
      "ERR_TRANSPORT_TIMEOUT",
      labelled(operation, "the operation's deadline passed"),
      {
        url,
        retry: "never",
      },
    );
  }
}

/** The operation's label before the text, when there is one. */
export function labelled(operation: HttpRequest["operation"], message: string): string {
  return operation === undefined ? message : `${operation.label}: ${message}`;
}
