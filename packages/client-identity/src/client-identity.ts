import type { HeaderList, OperationKey } from "@hawser/transport";
import { ClientIdentityError } from "./errors.ts";
import { formatUserAgent, type UserAgentSurroundings } from "./format-user-agent.ts";

/**
 * Who is asking: one frozen value per connection, made once and passed along. A name is what a client calls itself;
 * it attributes a request and proves nothing.
 */
export interface ClientIdentity {
  /** Visible ASCII, 1 to 128 characters, no blank at either end. */
  readonly name: string;
  /** For people; printable. */
  readonly title?: string | undefined;
  /** Printable ASCII, at most 128 characters; may be empty. */
  readonly version: string;
  /** Value of the `originator` header. */
  readonly originator: string;
  /** Value of the `user-agent` header. */
  readonly userAgent: string;
  /** Every header that carries this identity, built once. */
  readonly headers: HeaderList;
  /** What all identities of this process have in common. */
  readonly surroundings: IdentitySurroundings;
}

/** What every identity of one process shares. */
export interface IdentitySurroundings extends UserAgentSurroundings {
  /** Region in which the upstream must keep data, when a deployment enforces one. */
  readonly residency?: string | undefined;
}

/** Where an operation carries the identity it is made for. It wins over the scope. */
export const identityKey: OperationKey<ClientIdentity> = {
  id: Symbol.for("@hawser/client-identity/identity"),
};

interface IdentityParts {
  readonly name: string;
  readonly title?: string | undefined;
  readonly version: string;
  readonly originator: string;
  readonly surroundings: IdentitySurroundings;
  /** Whether the User-Agent ends with `(<name>; <version>)`. */
  readonly announceClient: boolean;
}

const MAX_NAME_LENGTH = 128;

/** A legal, visible header value that arrives as it was sent: receivers strip blanks at the ends. */
export function isLegalName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && /^[!-~](?:[ -~]*[!-~])?$/.test(name);
}

/** Puts the parts together, frozen. The name must be legal. */
export function createIdentity(parts: IdentityParts): ClientIdentity {
  const { name, title, version, originator, surroundings, announceClient } = parts;
  if (!isLegalName(originator)) {
    throw new ClientIdentityError("ERR_CLIENT_IDENTITY_INVALID_NAME", invalidNameMessage(originator));
  }
  const userAgent = formatUserAgent(originator, surroundings, announceClient ? { name, version } : undefined);
  const headers: (readonly [string, string])[] = [
    ["originator", originator],
    ["user-agent", userAgent],
  ];
  if (surroundings.residency !== undefined) {
    headers.push(["x-openai-internal-codex-residency", surroundings.residency]);
  }
  return Object.freeze({
    name,
    ...(title === undefined ? {} : { title }),
    version,
    originator,
    userAgent,
    headers: Object.freeze(headers.map((header) => Object.freeze(header))),
    surroundings,
  });
}

/** The reference's text; a name too long to be one is shortened. */
export function invalidNameMessage(name: string): string {
  const shown = name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
  return `Invalid clientInfo.name: '${shown}'. Must be a valid HTTP header value.`;
}
