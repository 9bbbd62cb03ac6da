/**
 * An error as it stands on the wire: `{ code, message, data? }`. A handler throws one to answer with it; a request
 * whose answer is an error rejects with one. The text is for the peer to read, so it never holds a secret.
 */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** Whether `value` is an error answered by the peer, from whatever copy of this package. */
export function isRpcError(value: unknown): value is RpcError {
  return (
    value instanceof Error && value.name === "RpcError" && "code" in value && typeof value.code === "number"
  );
}

/** The connection is gone: what was asked has no answer, and whether the peer acted on it is unknown. */
export class RpcClosedError extends Error {
  override readonly name = "RpcClosedError";
  readonly code = "ERR_JSON_RPC_CLOSED";
  readonly retry = "never";
  /** The close code, where the framing has one. */
  readonly closeCode: number | undefined;

  constructor(
    options: { readonly closeCode?: number | undefined; readonly reason?: string | undefined } = {},
  ) {
    const { closeCode, reason } = options;
    const detail = [closeCode, reason === undefined || reason === "" ? undefined : JSON.stringify(reason)]
      .filter((part) => part !== undefined)
      .join(" ");
    super(detail === "" ? "the connection is closed" : `the connection is closed (${detail})`);
    this.closeCode = closeCode;
  }
}

/** Whether `value` says that the connection went, from whatever copy of this package. */
export function isRpcClosedError(value: unknown): value is RpcClosedError {
  return value instanceof Error && "code" in value && value.code === "ERR_JSON_RPC_CLOSED";
}
