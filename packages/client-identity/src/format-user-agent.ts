import type { OperatingSystem } from "./operating-system.ts";

/** What surrounds a client in every User-Agent of one process. */
export interface UserAgentSurroundings {
  /** Version of the product that sends, not of the client. */
  readonly productVersion: string;
  readonly os: OperatingSystem;
  /** `"xterm"`, `"iTerm.app/3.5"`, `"unknown"`. */
  readonly terminal: string;
}

export interface UserAgentClient {
  readonly name: string;
  readonly version: string;
}

/**
 * `<originator>/<product version> (<OS> <OS version>; <arch>) <terminal>[ (<client name>; <client version>)]`, in
 * printable ASCII: any other character becomes `_`. Parentheses and backslashes are escaped inside a comment
 * (RFC 9110, section 5.6.5) and become `_` outside one, so that a client cannot forge the part it does not own.
 * Without a client, or with one that has neither name nor version, the last comment is left out.
 */
export function formatUserAgent(
  originator: string,
  surroundings: UserAgentSurroundings,
  client?: UserAgentClient,
): string {
  const { productVersion, os, terminal } = surroundings;
  const product = `${outside(originator)}/${outside(productVersion)}`;
  const system = inside(`${os.type} ${os.version}; ${os.arch}`);
  const base = `${product} (${system}) ${outside(terminal)}`;
  const suffix = client === undefined ? "" : inside(`${client.name}; ${client.version}`.trim());
  return suffix === "" || suffix === ";" ? base : `${base} (${suffix})`;
}

/** Every character that is not printable ASCII becomes `_`. */
export function asciiHeaderText(text: string): string {
  return text.replace(/[^ -~]/gu, "_");
}

function inside(comment: string): string {
  return asciiHeaderText(comment).replace(/[()\\]/g, "\\$&");
}

function outside(text: string): string {
  return asciiHeaderText(text).replace(/[()\\]/g, "_");
}
