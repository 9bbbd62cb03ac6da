import { z } from "zod";

/** What this room reads of a JWT. The signature is not checked: the token came from its issuer over TLS. */
export interface JwtClaims {
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number | undefined;
  /** `exp` minus `iat`. */
  readonly lifetimeMs?: number | undefined;
  readonly subject?: string | undefined;
  readonly email?: string | undefined;
  readonly accountId?: string | undefined;
  readonly userId?: string | undefined;
  readonly planType?: string | undefined;
}

const profileClaim = "https://api.openai.com/profile";
const authClaim = "https://api.openai.com/auth";

const text = z.string().min(1).optional().catch(undefined);
const seconds = z.number().positive().finite().optional().catch(undefined);

const claimsSchema = z.object({
  exp: seconds,
  iat: seconds,
  sub: text,
  email: text,
  [profileClaim]: z.object({ email: text }).optional().catch(undefined),
  [authClaim]: z
    .object({
      chatgpt_account_id: text,
      chatgpt_user_id: text,
      user_id: text,
      chatgpt_plan_type: text,
    })
    .optional()
    .catch(undefined),
});

/** Reads `header.payload.signature` (RFC 7519, compact); undefined for anything else, such as an opaque token. */
export function readJwtClaims(token: string): JwtClaims | undefined {
  const parts = token.split(".");
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const parsed = claimsSchema.safeParse(parseJson(Buffer.from(parts[1] ?? "", "base64url").toString("utf8")));
  if (!parsed.success) return undefined;
  const { exp, iat, sub, email, [profileClaim]: profile, [authClaim]: auth } = parsed.data;
  return {
    expiresAtMs: exp === undefined ? undefined : exp * 1000,
    lifetimeMs: exp === undefined || iat === undefined || exp <= iat ? undefined : (exp - iat) * 1000,
    subject: sub,
    email: email ?? profile?.email,
    accountId: auth?.chatgpt_account_id,
    userId: auth?.chatgpt_user_id ?? auth?.user_id,
    planType: auth?.chatgpt_plan_type,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is not a JWT; the text may hold a secret and is dropped.
    return undefined;
  }
}
