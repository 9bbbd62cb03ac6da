import { createHash } from "node:crypto";

const MAX_LENGTH = 64;

/**
 * The name a model is offered for a server's tool: letters, digits, `_` and `-`, at most 64. A name that had to be
 * changed ends in a hash of the original, so that two tools never share one.
 */
export function modelToolName(server: string, tool: string): string {
  const plain = `mcp__${server}__${tool}`;
  const legal = plain.replaceAll(/[^\w-]/g, "_");
  if (legal === plain && plain.length <= MAX_LENGTH) return plain;
  const hash = createHash("sha256")
    .update(JSON.stringify([server, tool]))
    .digest("hex")
    .slice(0, 8);
  return `${legal.slice(0, MAX_LENGTH - 9)}_${hash}`;
}
