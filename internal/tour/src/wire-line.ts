import type { SeenRequest } from "@hawser/local-upstream";

/** One request as the upstream saw it: what, from whom, with which credential, where it went and what it got. */
export function wireLine(seen: SeenRequest): string {
  const { method, path, rpcMethod, headers, credential, replica, status } = seen;
  const parts = [`${method} ${path}${rpcMethod === undefined ? "" : ` ${rpcMethod}`}`];
  const originator = headers["originator"];
  if (originator !== undefined) parts.push(`originator ${originator}`);
  if (credential !== undefined) parts.push(credential);
  if (replica !== undefined) parts.push(`on ${replica}`);
  parts.push(status === undefined ? "-> still open" : `-> ${status}`);
  return parts.join("  ");
}

/** How many of the requests carried which credential and got which status: `50 x access#1 -> 401`. */
export function wireCounts(seen: readonly SeenRequest[]): string {
  const counts = new Map<string, number>();
  for (const { credential = "no credential", status, replica } of seen) {
    const row = `${credential} -> ${status}${replica === undefined ? "" : ` on ${replica}`}`;
    counts.set(row, (counts.get(row) ?? 0) + 1);
  }
  return [...counts].map(([row, count]) => `${count} x ${row}`).join(", ");
}
