import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

export interface SignedBearerRules {
  readonly secret: Buffer;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly maxSkewSeconds: number;
  readonly nowSeconds: number;
}

/**
 * Checks a JWT (RFC 7519) signed with HS256 and nothing else; `exp` is mandatory. Returns undefined when it holds,
 * else the text that a client is told.
 */
export function verifySignedBearer(jwt: string, rules: SignedBearerRules): string | undefined {
  const claims = readClaims(jwt, rules.secret);
  if (claims === undefined) return "invalid websocket jwt";
  const { nowSeconds, maxSkewSeconds, issuer, audience } = rules;
  if (claims.exp + maxSkewSeconds <= nowSeconds) return "expired websocket jwt";
  if (claims.nbf !== undefined && claims.nbf - maxSkewSeconds > nowSeconds) {
    return "websocket jwt is not valid yet";
  }
  if (issuer !== undefined && claims.iss !== issuer) return "websocket jwt issuer mismatch";
  if (audience !== undefined && ![claims.aud].flat().includes(audience)) {
    return "websocket jwt audience mismatch";
  }
  return undefined;
}

const headerShape = z.looseObject({ alg: z.literal("HS256"), crit: z.undefined().optional() });
const claimsShape = z.looseObject({
  exp: z.number(),
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
});

function readClaims(jwt: string, secret: Buffer): z.output<typeof claimsShape> | undefined {
  const parts = jwt.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) return undefined;
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  if (!headerShape.safeParse(json(header)).success) return undefined;
  return claimsShape.safeParse(json(payload)).data;
}

function json(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined; // the schema refuses it, like anything else that is no object
  }
}
