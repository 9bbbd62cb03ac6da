/** Why the server did not start, or could not go on. The README says what to do about each. */
export type StartErrorCode =
  | "ERR_EXEC_SERVER_USAGE" // the command line cannot be understood
  | "ERR_EXEC_SERVER_CONFIG" // a file it names cannot be read or does not parse
  | "ERR_EXEC_SERVER_NO_AUTH" // a listener that anybody could use, without the flag that says so
  | "ERR_EXEC_SERVER_LISTEN" // the address cannot be bound
  | "ERR_EXEC_SERVER_CLIENT_DISCONNECTED"; // the client on stdio was sent away: it sent too much at once

/** The server cannot start as it was asked to, or go on. The message is one line for a person. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code: StartErrorCode;
  readonly retry = "never";

  constructor(code: StartErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What can go wrong with a client's connection. */
export type ExecConnectionErrorCode =
  | "ERR_EXEC_SERVER_CONNECT" // no WebSocket: nobody there, refused, or not let in
  | "ERR_EXEC_SERVER_HANDSHAKE" // connected, but it does not speak the protocol
  | "ERR_EXEC_SERVER_CLOSED" // the connection went
  | "ERR_EXEC_SERVER_REFUSED"; // the server answered with an error; `rpcCode` says which

/** A client's connection failed, or a call on it. Never holds the bearer. */
export class ExecConnectionError extends Error {
  override readonly name = "ExecConnectionError";
  readonly code: ExecConnectionErrorCode;
  readonly retry: "never" | "after";
  /** The server's own error code: -32600, -32603, … */
  readonly rpcCode: number | undefined;
  /** What the server added to its error. */
  readonly data: unknown;

  constructor(
    code: ExecConnectionErrorCode,
    message: string,
    options: { readonly rpcCode?: number | undefined; readonly data?: unknown } = {},
  ) {
    super(message);
    this.code = code;
    this.retry = code === "ERR_EXEC_SERVER_CONNECT" || code === "ERR_EXEC_SERVER_CLOSED" ? "after" : "never";
    this.rpcCode = options.rpcCode;
    this.data = options.data;
  }
}

/** Recognises an `ExecConnectionError`, also one of another installed copy of this package. */
export function isExecConnectionError(error: unknown): error is ExecConnectionError {
  return error instanceof Error && error.name === "ExecConnectionError" && "code" in error;
}
