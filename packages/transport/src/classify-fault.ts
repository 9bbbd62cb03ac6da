import type { RequestSent, TransportErrorCode } from "./errors.ts";

/** What a fault means, and the part of it that may be shown. */
export interface ClassifiedFault {
  readonly code: TransportErrorCode;
  readonly message: string;
  readonly cause: Error | undefined;
}

/**
 * Names the fault that undici, Node's sockets or OpenSSL reported. Where it is known whether the request was begun,
 * that decides between two readings of the same fault: before, a wait for a head is a proxy's answer to CONNECT;
 * after, a failure to connect is a broken connection.
 */
export function classifyFault(fault: unknown, sent?: RequestSent): ClassifiedFault {
  const chain = faultChain(fault);
  for (const link of chain) {
    const named = byProxy(link) ?? byCode(link);
    if (named !== undefined) return { ...inPhase(named, sent), cause: safeCause(link) };
  }
  return { ...RESET, cause: chain[0] && safeCause(chain[0]) };
}

function inPhase(named: Named, sent: RequestSent | undefined): Named {
  if (sent === "no") return named.code === "ERR_TRANSPORT_HEADERS_TIMEOUT" ? CONNECT_TIMEOUT : named;
  if (sent === undefined) return named;
  return named === CONNECT || named === CONNECT_TIMEOUT ? RESET : named;
}

interface Named {
  readonly code: TransportErrorCode;
  readonly message: string;
}

const UNTRUSTED: Named = {
  code: "ERR_TRANSPORT_TLS_UNTRUSTED",
  message: "the certificate's issuer is not trusted",
};
const EXPIRED: Named = { code: "ERR_TRANSPORT_TLS_EXPIRED", message: "the certificate is not valid now" };
const RESET: Named = { code: "ERR_TRANSPORT_RESET", message: "the connection broke" };
const CONNECT: Named = { code: "ERR_TRANSPORT_CONNECT", message: "no connection could be made" };
const CLOSED: Named = { code: "ERR_TRANSPORT_CLOSED", message: "the transport is closed" };
const DNS: Named = { code: "ERR_TRANSPORT_DNS", message: "the name did not resolve" };
const CONNECT_TIMEOUT: Named = {
  code: "ERR_TRANSPORT_CONNECT_TIMEOUT",
  message: "no connection within connectTimeoutMs",
};
const NOT_WHOLE: Named = { code: "ERR_TRANSPORT_PROTOCOL", message: "the response does not follow HTTP" };

const BY_CODE: ReadonlyMap<string, Named> = new Map([
  ["ENOTFOUND", DNS],
  ["EAI_AGAIN", DNS],
  ["EAI_FAIL", DNS],
  ["EAI_NODATA", DNS],
  ["ENODATA", DNS],
  ["ECONNREFUSED", { code: "ERR_TRANSPORT_REFUSED", message: "the connection was refused" }],
  ["EHOSTUNREACH", CONNECT],
  ["ENETUNREACH", CONNECT],
  ["EADDRNOTAVAIL", CONNECT],
  ["EACCES", CONNECT],
  ["EPERM", CONNECT],
  ["EMFILE", CONNECT],
  ["ETIMEDOUT", CONNECT_TIMEOUT],
  ["ECONNRESET", RESET],
  ["EPIPE", RESET],
  ["ECONNABORTED", RESET],
  ["UND_ERR_SOCKET", RESET],
  ["UND_ERR_INFO", RESET],
  ["UND_ERR_CONNECT_TIMEOUT", CONNECT_TIMEOUT],
  [
    "UND_ERR_HEADERS_TIMEOUT",
    { code: "ERR_TRANSPORT_HEADERS_TIMEOUT", message: "no response head within headersTimeoutMs" },
  ],
  [
    "UND_ERR_BODY_TIMEOUT",
    { code: "ERR_TRANSPORT_BODY_TIMEOUT", message: "the response body was silent for bodyIdleTimeoutMs" },
  ],
  ["UND_ERR_HEADERS_OVERFLOW", { code: "ERR_TRANSPORT_PROTOCOL", message: "the response head is too large" }],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", NOT_WHOLE],
  [
    "UND_ERR_RES_EXCEEDED_MAX_SIZE",
    { code: "ERR_TRANSPORT_BODY_TOO_LARGE", message: "the response body is too large" },
  ],
  [
    "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
    {
      code: "ERR_TRANSPORT_INVALID_REQUEST",
      message: "the content-length header does not match the request body",
    },
  ],
  ["UND_ERR_INVALID_ARG", { code: "ERR_TRANSPORT_INVALID_REQUEST", message: "the request cannot be sent" }],
  ["UND_ERR_NOT_SUPPORTED", { code: "ERR_TRANSPORT_INVALID_REQUEST", message: "the request cannot be sent" }],
  [
    "ERR_EGRESS_DENIED",
    { code: "ERR_TRANSPORT_EGRESS_DENIED", message: "the egress policy does not allow this address" },
  ],
  ["UND_ERR_DESTROYED", CLOSED],
  ["UND_ERR_CLOSED", CLOSED],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNTRUSTED],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", UNTRUSTED],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNTRUSTED],
  ["CERT_UNTRUSTED", UNTRUSTED],
  ["CERT_HAS_EXPIRED", EXPIRED],
  ["CERT_NOT_YET_VALID", EXPIRED],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    { code: "ERR_TRANSPORT_TLS_NAME", message: "the certificate is for another name" },
  ],
]);

function byCode(fault: Fault): Named | undefined {
  const { code, name } = fault;
  // The parser's faults have a code only sometimes.
  if (name === "HTTPParserError") return NOT_WHOLE;
  if (code === undefined) return undefined;
  const named = BY_CODE.get(code);
  if (named !== undefined) return named;
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code === "EPROTO") {
    return { code: "ERR_TRANSPORT_TLS", message: "the TLS handshake failed" };
  }
  if (code.startsWith("CERT_")) return UNTRUSTED;
  return undefined;
}

/** undici reports an HTTP proxy's refusal in two shapes, both only by message. */
function byProxy(fault: Fault): Named | undefined {
  const status = /^Proxy response \((\d{3})\)/.exec(fault.message)?.[1];
  if (
    fault.code === "ERR_PROXY_CREDENTIALS" ||
    status === "407" ||
    fault.message === "Proxy Authentication Required (407)"
  ) {
    return { code: "ERR_TRANSPORT_PROXY_AUTH", message: "the proxy wants other credentials" };
  }
  if (status !== undefined) {
    return { code: "ERR_TRANSPORT_PROXY", message: `the proxy answered ${status} to CONNECT` };
  }
  if (fault.code === "ERR_PROXY_TIMEOUT") return CONNECT_TIMEOUT;
  if (fault.code === "ERR_PROXY_FAULT" || fault.code?.startsWith("UND_ERR_PRX_") === true) {
    return { code: "ERR_TRANSPORT_PROXY", message: "the proxy could not be reached" };
  }
  return undefined;
}

interface Fault {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

/** The fault, what an AggregateError of several addresses holds, and the causes, outermost first. */
function faultChain(fault: unknown): readonly Fault[] {
  const chain: Fault[] = [];
  let link: unknown = fault;
  while (link instanceof Error && chain.length < 8) {
    const { code } = link as { code?: unknown };
    chain.push({ name: link.name, code: typeof code === "string" ? code : undefined, message: link.message });
    link = link instanceof AggregateError && link.cause === undefined ? link.errors[0] : link.cause;
  }
  return chain;
}

/**
 * A copy with the message and the code alone: the originals carry sockets, certificates and, for a parser fault,
 * the bytes that were read.
 */
function safeCause(fault: Fault): Error {
  return Object.assign(
    new Error(printable(fault.message)),
    fault.code === undefined ? {} : { code: fault.code },
  );
}

/** A certificate's names are the peer's words: none may reach a terminal as a command, or turn a line around. */
function printable(message: string): string {
  return message.slice(0, 500).replace(UNPRINTABLE, "\ufffd");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
