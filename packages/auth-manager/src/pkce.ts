import { createHash, randomBytes } from "node:crypto";

/** A verifier and its S256 challenge (RFC 7636). Print neither. */
export interface Pkce {
  readonly verifier: string;
  readonly challenge: string;
}

/** 64 random bytes: a verifier of 86 characters. */
export function createPkce(): Pkce {
  const verifier = randomBytes(64).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}
