import { type ClientIdentity, createIdentity, invalidNameMessage, isLegalName } from "./client-identity.ts";
import { ClientIdentityError } from "./errors.ts";
import { asciiHeaderText } from "./format-user-agent.ts";
import { type OperatingSystem, readOperatingSystem } from "./operating-system.ts";

export interface ProcessIdentityOptions {
  /** What this process calls itself towards an upstream. */
  readonly name: string;
  readonly version: string;
  /** The version written behind every originator, clients' included. @defaultValue version */
  readonly productVersion?: string | undefined;
  /** Read for the terminal (`TERM_PROGRAM`, `TERM_PROGRAM_VERSION`, `TERM`) and the override. @defaultValue empty */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Variable of `env` that replaces the originator of the process; no client's. An illegal value is ignored.
   * @defaultValue none
   */
  readonly overrideVariable?: string | undefined;
  /** Told the variable whose value was ignored. @defaultValue nobody */
  readonly onIgnoredOverride?: ((variable: string) => void) | undefined;
  /** @defaultValue this machine */
  readonly os?: OperatingSystem | undefined;
  /** Region header of every identity of this process. @defaultValue none */
  readonly residency?: string | undefined;
}

/**
 * Who asks when no client does: work that a process owns for everybody carries this identity. Its User-Agent names
 * no client.
 *
 * @throws {@link ClientIdentityError} `ERR_CLIENT_IDENTITY_INVALID_NAME`.
 */
export function processIdentity(options: ProcessIdentityOptions): ClientIdentity {
  const {
    name,
    version,
    productVersion = version,
    env = {},
    os = readOperatingSystem(),
    residency,
  } = options;
  if (!isLegalName(name)) {
    throw new ClientIdentityError("ERR_CLIENT_IDENTITY_INVALID_NAME", invalidNameMessage(name));
  }
  return createIdentity({
    name,
    version: asciiHeaderText(version),
    originator: readOverride(options, env) ?? name,
    surroundings: Object.freeze({
      productVersion,
      os: Object.freeze({ ...os }),
      terminal: describeTerminal(env),
      ...(residency === undefined ? {} : { residency: asciiHeaderText(residency) }),
    }),
    announceClient: false,
  });
}

function readOverride(
  { overrideVariable, onIgnoredOverride }: ProcessIdentityOptions,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (overrideVariable === undefined) return undefined;
  const value = env[overrideVariable];
  if (value === undefined || isLegalName(value)) return value;
  onIgnoredOverride?.(overrideVariable);
  return undefined;
}

/** The program and its version, else the terminal type, else `unknown`. */
function describeTerminal(env: Readonly<Record<string, string | undefined>>): string {
  const { TERM_PROGRAM: program, TERM_PROGRAM_VERSION: version, TERM: type } = env;
  const name = program ? (version ? `${program}/${version}` : program) : type || "unknown";
  return name.replace(/[^\w./-]/g, "_").slice(0, 128);
}
