import { createHash } from "node:crypto";

/**
 * The key of a server's credential: its name, `|`, and 16 hex digits of a hash over its URL as it is written.
 * Nothing is normalised: another name or another spelling of the URL is another credential.
 */
export function storeKey(serverName: string, serverUrl: string): string {
  // The member order and the empty `headers` are part of the hashed text in files others wrote.
  const identity = JSON.stringify({ type: "http", url: serverUrl, headers: {} });
  const digest = createHash("sha256").update(identity).digest("hex");
  return `${serverName}|${digest.slice(0, 16)}`;
}
