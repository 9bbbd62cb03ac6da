import { createHash } from "node:crypto";
import { z } from "zod";
import type { SpendHeader } from "./spend-header.ts";

/** The header's share of a record; the body follows. */
export const HEADER_BYTES = 4096;

const MAGIC = "hawser-spend 1";

const headerSchema = z.object({
  version: z.literal(1),
  fingerprint: z.string(),
  state: z.enum(["claimed", "unknown", "deferred", "sealed", "held", "settled", "refused"]),
  attempt: z.number().int().positive(),
  reason: z.enum(["expiry", "rejected", "forced"]),
  claimedAtMs: z.number(),
  leaseUntilMs: z.number(),
  nextAtMs: z.number().optional(),
  failures: z.number().int().nonnegative(),
  uncertain: z.boolean(),
  outcomeCode: z.string().optional(),
  correlationId: z.string().optional(),
  lineage: z.string(),
  generation: z.number().int().nonnegative(),
  receivedAtMs: z.number().optional(),
  lifetimeMs: z.number().optional(),
  snapshotHash: z.string(),
  clientHash: z.string(),
  owner: z.object({ host: z.string(), boot: z.string(), pid: z.number() }),
});

/** The header as 4 KiB: a line with the checksum, a line of JSON, and zeros. */
export function encodeHeader(header: SpendHeader): Uint8Array {
  const json = JSON.stringify(header);
  const bytes = new Uint8Array(HEADER_BYTES);
  const text = Buffer.from(`${MAGIC} ${checksum(json)}\n${json}\n`);
  if (text.length > HEADER_BYTES) throw new RangeError("a spend record's header does not fit");
  bytes.set(text);
  return bytes;
}

/**
 * Undefined for bytes that are not a whole header: never written, or torn. `"newer"` for a whole one that this version
 * cannot read: what it says of its refresh token is not known, and not to be guessed.
 */
export function decodeHeader(bytes: Uint8Array): SpendHeader | "newer" | undefined {
  const text = Buffer.from(bytes.subarray(0, HEADER_BYTES)).toString("utf8");
  const [first = "", json = ""] = text.split("\n", 2);
  if (!/^hawser-spend \d+ /.test(first) || !first.endsWith(` ${checksum(json)}`)) return undefined;
  if (!first.startsWith(`${MAGIC} `)) return "newer";
  try {
    const parsed = headerSchema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : "newer";
  } catch {
    return "newer"; // The checksum held, so somebody meant it.
  }
}

function checksum(json: string): string {
  return createHash("sha256").update(json).digest("hex");
}
