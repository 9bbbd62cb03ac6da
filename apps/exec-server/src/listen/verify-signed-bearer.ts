import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

export interface SignedBearerOptions {
  readonly secret: Buffer;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly maxClockSkewSeconds: number;
  /** Epoch milliseconds. @defaultValue Date.now */
  readonly now?: (() => number) | undefined;
}

const headerShape = z.object({ alg: z.literal("HS256") });
const claimsShape = z.object({
  exp: z.number(),
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
});

/**
 * Checks a JWT signed with HS256 (RFC 7519, RFC 7515): `exp` is required, `nbf` is honoured, issuer and audience are
 * compared when they are asked for. Returns why it is refused, or `undefined`. No other algorithm is accepted,
 * whatever the header says, and the signature is looked at before the claims.
 */
export function verifySignedBearer(bearer: string, options: SignedBearerOptions): string | undefined {
  const { secret, issuer, audience, maxClockSkewSeconds, now = Date.now } = options;
  const [header, claims, signature, ...more] = bearer.split(".");
  if (header === undefined || claims === undefined || signature === undefined || more.length > 0)
    return INVALID;
  if (!headerShape.safeParse(decoded(header)).success) return INVALID;
  const expected = createHmac("sha256", secret).update(`${header}.${claims}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) return INVALID;
  const parsed = claimsShape.safeParse(decoded(claims));
  if (!parsed.success) return INVALID;
  const { exp, nbf, iss, aud } = parsed.data;
  const nowSeconds = now() / 1_000;
  if (exp + maxClockSkewSeconds < nowSeconds) return "expired websocket jwt";
  if (nbf !== undefined && nbf - maxClockSkewSeconds > nowSeconds) return "websocket jwt is not valid yet";
  if (issuer !== undefined && iss !== issuer) return "websocket jwt issuer mismatch";
  if (audience !== undefined && ![aud].flat().includes(audience)) return "websocket jwt audience mismatch";
  return undefined;
}

const INVALID = "invalid websocket jwt";

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    // Whatever it is, it is no part of a JWT; the schema refuses `undefined`.
    return undefined;
  }
}
