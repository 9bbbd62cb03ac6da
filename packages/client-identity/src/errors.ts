import { printable } from "./printable.ts";

export type ClientIdentityErrorCode =
  /** A name is empty, longer than 128 characters, padded with blanks, or not visible ASCII. */
  | "ERR_CLIENT_IDENTITY_INVALID_NAME"
  /** What should describe a client is not an object with a textual name and version. */
  | "ERR_CLIENT_IDENTITY_INVALID_CLIENT_INFO";

/**
 * An identity was refused. `message` may repeat what the client sent and belongs in the answer to that client;
 * `stack`, and so whatever is printed, has it in printable form.
 */
export class ClientIdentityError extends Error {
  override readonly name = "ClientIdentityError";
  readonly code: ClientIdentityErrorCode;
  /** The same input is refused again. */
  readonly retry = "never";

  constructor(code: ClientIdentityErrorCode, message: string) {
    super(message);
    this.code = code;
    const safe = printable(message);
    this.stack = (this.stack ?? `${this.name}: ${message}`).replace(message, () => safe);
  }
}

/** Also true for an error made by another installed copy of this package. */
export function isClientIdentityError(error: unknown): error is ClientIdentityError {
  return error instanceof Error && error.name === "ClientIdentityError" && "code" in error;
}
