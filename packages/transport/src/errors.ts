import { redactUrl } from "./redact-url.ts";

/** What went wrong. A code never changes its meaning; the README says what to do about each. */
export type TransportErrorCode =
  | "ERR_TRANSPORT_INVALID_REQUEST" // the request cannot be sent as it is: method, URL, header or body
  | "ERR_TRANSPORT_REQUEST_BODY" // the caller's own body source failed
  | "ERR_TRANSPORT_DNS" // the name did not resolve
  | "ERR_TRANSPORT_REFUSED" // nobody listens there
  | "ERR_TRANSPORT_CONNECT" // no connection for another reason: no route, no address
  | "ERR_TRANSPORT_TLS" // the handshake failed
  | "ERR_TRANSPORT_TLS_UNTRUSTED" // the certificate's issuer is not trusted
  | "ERR_TRANSPORT_TLS_EXPIRED" // the certificate is not valid now
  | "ERR_TRANSPORT_TLS_NAME" // the certificate is for another name
  | "ERR_TRANSPORT_PROXY" // the proxy could not be reached or would not connect
  | "ERR_TRANSPORT_PROXY_AUTH" // the proxy wants other credentials
  | "ERR_TRANSPORT_CONNECT_TIMEOUT" // limits.connectTimeoutMs
  | "ERR_TRANSPORT_HEADERS_TIMEOUT" // limits.headersTimeoutMs
  | "ERR_TRANSPORT_BODY_TIMEOUT" // limits.bodyIdleTimeoutMs
  | "ERR_TRANSPORT_TIMEOUT" // limits.totalTimeoutMs or the operation's deadline
  | "ERR_TRANSPORT_ABORTED" // the caller gave up
  | "ERR_TRANSPORT_RESET" // the connection broke
  | "ERR_TRANSPORT_PROTOCOL" // what came is not HTTP, or not whole
  | "ERR_TRANSPORT_BODY_TOO_LARGE" // limits.maxResponseBytes
  | "ERR_TRANSPORT_DECODING" // the response body cannot be decompressed
  | "ERR_TRANSPORT_BODY_USED" // the body was read or cancelled before
  | "ERR_TRANSPORT_BAD_JSON" // json() on a body that is not JSON
  | "ERR_TRANSPORT_STATUS" // expectOk on a status outside 200-299
  | "ERR_TRANSPORT_REDIRECT_REFUSED" // the mode, the scheme or a downgrade forbids this hop
  | "ERR_TRANSPORT_REDIRECT_LIMIT" // more hops than allowed
  | "ERR_TRANSPORT_CLOSED" // the transport or its dispatcher is closed
  | "ERR_TRANSPORT_EGRESS_DENIED" // the egress policy does not allow the address
  | "ERR_TRANSPORT_BAD_EGRESS" // an exception of the egress policy cannot be read
  | "ERR_TRANSPORT_BAD_CERTIFICATE" // the client certificate or its key cannot be used
  | "ERR_TRANSPORT_BAD_CA" // a CA bundle cannot be used
  | "ERR_TRANSPORT_BAD_PROXY" // a proxy setting cannot be used
  | "ERR_TRANSPORT_NOT_SUPPORTED"; // a setting this version does not know how to honour

/** Whether the request can have reached the server. `yes` means that a response head arrived. */
export type RequestSent = "no" | "unknown" | "yes";

export interface TransportErrorOptions {
  readonly url?: URL | undefined;
  /** @defaultValue "no" */
  readonly sent?: RequestSent | undefined;
  /** @defaultValue what the code says */
  readonly retry?: "never" | "now" | "after" | undefined;
  readonly retryAtMs?: number | undefined;
  readonly status?: number | undefined;
  /** Only what cannot hold a header or a body. */
  readonly cause?: unknown;
}

/** There is no response, or no more of it. Never holds a header or a body; the URL is redacted. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: TransportErrorCode;
  /** Whether the request can have reached the server. */
  readonly sent: RequestSent;
  /** What the fault itself says about trying again; whether the request may be repeated is another question. */
  readonly retry: "never" | "now" | "after";
  /** Epoch milliseconds before which trying again is pointless. */
  readonly retryAtMs: number | undefined;
  /** Without userinfo, fragment and query values. */
  readonly url: string | undefined;
  /** The status that `expectOk` refused. */
  readonly status: number | undefined;

  constructor(code: TransportErrorCode, message: string, options: TransportErrorOptions = {}) {
    const { url, sent = "no", retry = retryFor(code), retryAtMs, status, cause } = options;
    const redacted = url === undefined ? undefined : redactUrl(url);
    super(
      redacted === undefined ? message : `${message} (${redacted})`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.sent = sent;
    this.retry = retry;
    this.retryAtMs = retryAtMs;
    this.url = redacted;
    this.status = status;
  }
}

/** Recognises a `TransportError`, also one of another installed copy of this package. */
export function isTransportError(error: unknown): error is TransportError {
  return (
    error instanceof Error &&
    error.name === "TransportError" &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code.startsWith("ERR_TRANSPORT_")
  );
}

const TRANSIENT: ReadonlySet<TransportErrorCode> = new Set<TransportErrorCode>([
  "ERR_TRANSPORT_DNS",
  "ERR_TRANSPORT_REFUSED",
  "ERR_TRANSPORT_CONNECT",
  "ERR_TRANSPORT_TLS",
  "ERR_TRANSPORT_PROXY",
  "ERR_TRANSPORT_CONNECT_TIMEOUT",
  "ERR_TRANSPORT_HEADERS_TIMEOUT",
  "ERR_TRANSPORT_BODY_TIMEOUT",
  "ERR_TRANSPORT_TIMEOUT",
  "ERR_TRANSPORT_RESET",
  "ERR_TRANSPORT_PROTOCOL",
]);

function retryFor(code: TransportErrorCode): "never" | "after" {
  return TRANSIENT.has(code) ? "after" : "never";
}
