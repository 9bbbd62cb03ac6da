import { type ClientIdentity, createIdentity, invalidNameMessage, isLegalName } from "./client-identity.ts";
import { ClientIdentityError } from "./errors.ts";
import { asciiHeaderText } from "./format-user-agent.ts";
import { printable } from "./printable.ts";

const MAX_VERSION_LENGTH = 128;
const MAX_TITLE_LENGTH = 256;

export interface ParseClientInfoOptions {
  /** The identity of the process the client connected to: its product version, system and terminal are shared. */
  readonly process: ClientIdentity;
}

/**
 * The identity a client announces as `{ name, title?, version }` when it connects. A version is never refused: what
 * a header cannot carry becomes `_`, and what exceeds 128 characters is cut. A title loses what cannot be printed.
 * No override and no earlier client has a say in it, and unknown fields are ignored.
 *
 * @throws {@link ClientIdentityError} `ERR_CLIENT_IDENTITY_INVALID_NAME` with the text that clients of the reference
 * know, or `ERR_CLIENT_IDENTITY_INVALID_CLIENT_INFO` when name or version are not text.
 */
export function parseClientInfo(raw: unknown, options: ParseClientInfoOptions): ClientIdentity {
  const { surroundings } = options.process;
  const { name, title, version } = readFields(raw);
  if (!isLegalName(name)) {
    throw new ClientIdentityError("ERR_CLIENT_IDENTITY_INVALID_NAME", invalidNameMessage(name));
  }
  return createIdentity({
    name,
    title: title === undefined ? undefined : printable(title).slice(0, MAX_TITLE_LENGTH),
    version: asciiHeaderText(version.slice(0, MAX_VERSION_LENGTH)),
    originator: name,
    surroundings,
    announceClient: true,
  });
}

function readFields(raw: unknown): { name: string; title: string | undefined; version: string } {
  if (typeof raw !== "object" || raw === null) throw invalid("clientInfo must be an object.");
  const { name, title, version } = raw as { name?: unknown; title?: unknown; version?: unknown };
  if (typeof name !== "string") throw invalid("clientInfo.name must be a string.");
  if (typeof version !== "string") throw invalid("clientInfo.version must be a string.");
  if (title !== undefined && title !== null && typeof title !== "string") {
    throw invalid("clientInfo.title must be a string or null.");
  }
  return { name, title: title ?? undefined, version };
}

function invalid(message: string): ClientIdentityError {
  return new ClientIdentityError("ERR_CLIENT_IDENTITY_INVALID_CLIENT_INFO", message);
}
