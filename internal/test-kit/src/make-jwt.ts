import { createHmac } from "node:crypto";

export interface MakeJwtOptions {
  /** Merged over `{ alg: "HS256", typ: "JWT" }`; `alg: "none"` leaves the signature a fixed text. */
  header?: Readonly<Record<string, unknown>> | undefined;
  /** Key of the HS256 signature. @defaultValue a fixed test key */
  secret?: string | Uint8Array | undefined;
}

/** A JWT in compact form (RFC 7519) with these claims, always of three non-empty base64url parts. */
export function makeJwt(claims: Readonly<Record<string, unknown>>, options: MakeJwtOptions = {}): string {
  const { header = {}, secret = "test-kit-signing-key-of-32-bytes!" } = options;
  const fullHeader = { alg: "HS256", typ: "JWT", ...header };
  const signed = `${part(fullHeader)}.${part(claims)}`;
  if (fullHeader.alg === "none") return `${signed}.unsigned`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
