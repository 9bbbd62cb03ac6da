import { createHash } from "node:crypto";
import type { JsonValue } from "./credential-kind.ts";
import { canonicalJson } from "./json-text.ts";

/** Names one refresh token of one credential without telling it: 32 hex digits. */
export function fingerprint(storeKey: string, refreshToken: string): string {
  return digest("refresh", storeKey, refreshToken).slice(0, 32);
}

/** Names an access token, to see whether it is still the one we wrote. */
export function bearerHash(storeKey: string, bearer: string): string {
  return digest("bearer", storeKey, bearer).slice(0, 32);
}

/** Names a whole stored entry by its content. */
export function snapshotHash(storeKey: string, entry: JsonValue): string {
  return digest("snapshot", storeKey, canonicalJson(entry));
}

/** Names a client of an issuer. */
export function clientHash(issuer: string | undefined, client: string | undefined): string {
  return digest("client", issuer ?? "", client ?? "").slice(0, 32);
}

/** A lineage for a credential that nobody announced: the same in every process that meets it. */
export function foreignLineage(storeKey: string, fingerprints: string): string {
  return digest("lineage", storeKey, fingerprints).slice(0, 32);
}

/** The part of a path that stands for a store key. */
export function pathHash(storeKey: string): string {
  return createHash("sha256").update(storeKey).digest("hex");
}

function digest(label: string, ...parts: string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([`hawser oauth-store ${label} v1`, ...parts]))
    .digest("hex");
}
