import { parseArgs } from "node:util";
import { AppServerError } from "../errors.ts";

/** The flags that guard a WebSocket listener, as they were given. */
export interface WebSocketAuthFlags {
  readonly mode?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tokenSha256?: string | undefined;
  readonly sharedSecretFile?: string | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly maxClockSkewSeconds?: string | undefined;
}

export type CommandLine =
  | { readonly command: "help" }
  | { readonly command: "version" }
  | {
      readonly command: "serve";
      readonly listen: string;
      readonly configFile?: string | undefined;
      readonly auth: WebSocketAuthFlags;
      /** A loopback listener without authentication was asked for in so many words. */
      readonly insecureNoAuth: boolean;
    };

/**
 * Reads the arguments after the program's name. The leading word `app-server` may be left out when `--listen` is
 * given; no argument at all asks for help. Throws `ERR_APP_SERVER_USAGE`, one line.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  if (args.length === 0) return { command: "help" };
  const { values, positionals } = readArguments(args);
  if (values.help === true) return { command: "help" };
  if (values.version === true) return { command: "version" };
  if (values["codex-home"] !== undefined) {
    throw new AppServerError(
      "ERR_APP_SERVER_NOT_SUPPORTED",
      "--codex-home is not supported yet: set HAWSER_HOME to a folder of its own",
    );
  }
  const [word, ...rest] = positionals;
  if (rest.length > 0 || (word !== undefined && word !== "app-server")) {
    throw usage(`unexpected argument ${JSON.stringify(rest[0] ?? word)}`);
  }
  if (word === undefined && values.listen === undefined) {
    throw usage("say app-server, or give --listen");
  }
  return {
    command: "serve",
    listen: values.listen ?? "stdio://",
    configFile: values.config,
    insecureNoAuth: values["insecure-no-auth"] ?? false,
    auth: {
      mode: values["ws-auth"],
      tokenFile: values["ws-token-file"],
      tokenSha256: values["ws-token-sha256"],
      sharedSecretFile: values["ws-shared-secret-file"],
      issuer: values["ws-issuer"],
      audience: values["ws-audience"],
      maxClockSkewSeconds: values["ws-max-clock-skew-seconds"],
    },
  };
}

const string = { type: "string" } as const;
const boolean = { type: "boolean" } as const;
const flags = {
  listen: string,
  config: string,
  "codex-home": string,
  "insecure-no-auth": boolean,
  "ws-auth": string,
  "ws-token-file": string,
  "ws-token-sha256": string,
  "ws-shared-secret-file": string,
  "ws-issuer": string,
  "ws-audience": string,
  "ws-max-clock-skew-seconds": string,
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, allowPositionals: true, strict: true });
  } catch (error) {
    // Node's text may run over several lines of advice; its first sentence names the flag.
    const text = error instanceof Error ? error.message : "unreadable arguments";
    throw usage(text.split(/\.\s|\n/)[0] ?? text);
  }
}

function usage(text: string): AppServerError {
  return new AppServerError("ERR_APP_SERVER_USAGE", `${text} (hawser --help lists the flags)`);
}
