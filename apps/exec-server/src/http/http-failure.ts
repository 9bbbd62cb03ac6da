import { RpcError } from "@hawser/json-rpc";
import { isTransportError } from "@hawser/transport";

/** What a failed exchange is called on the wire. Never holds a header, a body or the value of a query. */
export interface HttpFailure {
  readonly message: string;
  /** Which failure it is and whether the request may have been seen: an addition of this server. */
  readonly data: { readonly code: string; readonly sent: string; readonly retry: string } | undefined;
}

/** Names a failure. Only the transport's own texts are repeated: they are known to be redacted. */
export function describeFailure(error: unknown): HttpFailure {
  if (isTransportError(error)) {
    const { message, code, sent, retry } = error;
    return { message, data: { code, sent, retry } };
  }
  return { message: "the request failed", data: undefined };
}

/** The error that answers `http/request`. */
export function toRpcError(error: unknown): RpcError {
  const { message, data } = describeFailure(error);
  const isCallersFault = data?.code === "ERR_TRANSPORT_INVALID_REQUEST";
  return new RpcError(isCallersFault ? -32602 : -32603, `http/request failed: ${message}`, data);
}
