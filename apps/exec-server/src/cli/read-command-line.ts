import { parseArgs } from "node:util";
import { StartError } from "../errors.ts";

/** How a WebSocket listener knows who may come in. */
export type AuthOptions =
  | { readonly kind: "none" }
  | { readonly kind: "capability"; readonly tokenFile: string }
  | { readonly kind: "capability"; readonly tokenSha256: string }
  | {
      readonly kind: "signed";
      readonly secretFile: string;
      readonly issuer: string | undefined;
      readonly audience: string | undefined;
      readonly maxClockSkewSeconds: number;
    };

type ListenOptions =
  | { readonly kind: "stdio" }
  | { readonly kind: "ws"; readonly host: string; readonly port: number; readonly auth: AuthOptions };

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | {
      readonly kind: "serve";
      readonly listen: ListenOptions;
      readonly configFile: string | undefined;
      readonly maxConcurrentRequests: number;
      readonly allowedHosts: readonly string[];
    };

export const HELP_TEXT = `Usage: hawser-exec-server [options]

Runs processes and sends HTTP requests for the client that connects.

  --listen ws://IP:PORT | stdio://   where to listen (default ws://127.0.0.1:0)
  --ws-auth capability-token         a bearer from --ws-token-file FILE or of --ws-token-sha256 HEX
  --ws-auth signed-bearer-token      an HS256 JWT under --ws-shared-secret-file FILE (32 bytes or more)
      --ws-issuer TEXT  --ws-audience TEXT  --ws-max-clock-skew-seconds N (default 30)
  --insecure-no-auth                 listen without auth: everybody who reaches the port can run commands
  --allow-host NAME                  another Host a client may name; repeatable
  --concurrent-requests N            requests of one connection answered at once (default 1024)
  --config FILE                      TOML: [affinity] hosts = ["…"]
  --help, --version
`;

const flags = {
  listen: { type: "string" },
  "ws-auth": { type: "string" },
  "ws-token-file": { type: "string" },
  "ws-token-sha256": { type: "string" },
  "ws-shared-secret-file": { type: "string" },
  "ws-issuer": { type: "string" },
  "ws-audience": { type: "string" },
  "ws-max-clock-skew-seconds": { type: "string" },
  "insecure-no-auth": { type: "boolean" },
  "allow-host": { type: "string", multiple: true },
  "concurrent-requests": { type: "string" },
  config: { type: "string" },
  help: { type: "boolean" },
  version: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof flags }>>["values"];

/** Reads the arguments behind the program's name. Throws `StartError` with one line that says what to change. */
export function readCommandLine(args: readonly string[]): Command {
  const values = parse(args);
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  return {
    kind: "serve",
    listen: readListen(values),
    configFile: values.config,
    maxConcurrentRequests: positive("--concurrent-requests", values["concurrent-requests"]) ?? 1_024,
    allowedHosts: values["allow-host"] ?? [],
  };
}

function parse(args: readonly string[]): Values {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw usage(error instanceof Error ? error.message : "unknown arguments");
  }
}

function readListen(values: Values): ListenOptions {
  const address = values.listen ?? "ws://127.0.0.1:0";
  const auth = readAuth(values);
  if (address === "stdio" || address === "stdio://") {
    if (auth !== undefined) throw usage("auth flags need a ws:// listener");
    return { kind: "stdio" };
  }
  const match = /^ws:\/\/(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):(\d{1,5})\/?$/.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw usage(`--listen takes ws://IP:PORT or stdio://, not ${JSON.stringify(address)}`);
  }
  if (auth === undefined) {
    throw new StartError(
      "ERR_EXEC_SERVER_NO_AUTH",
      "a listener without auth lets every local user run commands: give --ws-auth, or --insecure-no-auth to accept that",
    );
  }
  return { kind: "ws", host: match[1].replace(/^\[|\]$/g, ""), port, auth };
}

function readAuth(values: Values): AuthOptions | undefined {
  const mode = values["ws-auth"];
  const file = values["ws-token-file"];
  const sha256 = values["ws-token-sha256"];
  const secretFile = values["ws-shared-secret-file"];
  const issuer = values["ws-issuer"];
  const audience = values["ws-audience"];
  const skew = values["ws-max-clock-skew-seconds"];
  const signedOnly = [secretFile, issuer, audience, skew].some((value) => value !== undefined);
  const capabilityOnly = file !== undefined || sha256 !== undefined;
  if (values["insecure-no-auth"] === true) {
    if (mode !== undefined || signedOnly || capabilityOnly) {
      throw usage("--insecure-no-auth and auth flags exclude each other");
    }
    return { kind: "none" };
  }
  if (mode === undefined) {
    if (signedOnly || capabilityOnly) throw usage("auth flags need --ws-auth");
    return undefined;
  }
  if (mode === "capability-token") {
    if (signedOnly) throw usage("that flag belongs to --ws-auth signed-bearer-token");
    if (file !== undefined && sha256 === undefined) return { kind: "capability", tokenFile: file };
    if (file === undefined && sha256 !== undefined && /^[0-9a-fA-F]{64}$/.test(sha256)) {
      return { kind: "capability", tokenSha256: sha256.toLowerCase() };
    }
    throw usage(
      "--ws-auth capability-token needs one of --ws-token-file and --ws-token-sha256 (64 hex digits)",
    );
  }
  if (mode !== "signed-bearer-token") {
    throw usage("--ws-auth takes capability-token or signed-bearer-token");
  }
  if (capabilityOnly) throw usage("that flag belongs to --ws-auth capability-token");
  if (secretFile === undefined) throw usage("--ws-auth signed-bearer-token needs --ws-shared-secret-file");
  const maxClockSkewSeconds = skew === undefined ? 30 : wholeNumber("--ws-max-clock-skew-seconds", skew);
  return { kind: "signed", secretFile, issuer, audience, maxClockSkewSeconds };
}

function positive(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = wholeNumber(flag, text);
  if (value === 0) throw usage(`${flag} takes a number above 0`);
  return value;
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw usage(`${flag} takes a whole number`);
  return Number(text);
}

function usage(message: string): StartError {
  return new StartError("ERR_EXEC_SERVER_USAGE", message);
}
