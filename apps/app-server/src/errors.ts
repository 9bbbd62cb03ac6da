/** What stops the program, or a request it cannot serve. Every code is explained in the README. */
export type AppServerErrorCode =
  | "ERR_APP_SERVER_USAGE" // the command line cannot be understood
  | "ERR_APP_SERVER_CONFIG" // the configuration file cannot be used
  | "ERR_APP_SERVER_LISTEN" // the address cannot be listened on
  | "ERR_APP_SERVER_NOT_SUPPORTED" // asked for something that is not built
  | "ERR_APP_SERVER_CLIENT_DISCONNECTED"; // the only client was sent away: it did not read, or sent too much

/** One line for a person in `message`; nothing here holds a secret. */
export class AppServerError extends Error {
  override readonly name = "AppServerError";
  readonly code: AppServerErrorCode;
  readonly retry = "never" as const;

  constructor(code: AppServerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Whether `value` is an `AppServerError`, of this copy of the module or of another. */
export function isAppServerError(value: unknown): value is AppServerError {
  return value instanceof Error && value.name === "AppServerError" && "code" in value;
}
