import { createHmac, randomBytes } from "node:crypto";
import type { SecretLabels } from "./secret-labels.ts";

/** Who the account's tokens say they belong to. */
export interface AccountProfile {
  email: string;
  planType: string;
  accountId: string;
  userId: string;
}

export interface AccountTokens {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** The account's tokens: signed access and id tokens, and refresh tokens that work once. */
export interface AccountTokenBook {
  issue(): AccountTokens;
  /** Spends a refresh token. */
  spend(refreshToken: string): { tokens: AccountTokens } | { refused: AccountRefusal };
  /** Ends this refresh token or access token, and whatever was refreshed from it. */
  revoke(token: string): void;
  isAccepted(accessToken: string): boolean;
  /** Every access token issued so far stops being accepted, whatever its claims say. */
  expireAccessTokens(): void;
  setAccessTokenTtl(seconds: number): void;
  readonly profile: AccountProfile;
}

type AccountRefusal = "refresh_token_expired" | "refresh_token_reused" | "refresh_token_invalidated";

export function createAccountTokenBook(labels: SecretLabels, accessTtlSeconds: number): AccountTokenBook {
  const profile: AccountProfile = {
    email: "person@example.test",
    planType: "plus",
    accountId: "acct-local-1",
    userId: "user-local-1",
  };
  const key = randomBytes(32);
  const refresh = new Map<string, { family: number; spent: boolean }>();
  const access = new Map<string, { family: number; expiresAtMs: number }>();
  const revoked = new Set<number>();
  let ttlSeconds = accessTtlSeconds;
  let families = 0;
  let serial = 0;

  const sign = (claims: Record<string, unknown>) => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
  };

  const issueIn = (family: number): AccountTokens => {
    serial += 1;
    const issuedAt = Math.floor(Date.now() / 1000);
    const expires = issuedAt + ttlSeconds;
    const account = {
      chatgpt_plan_type: profile.planType,
      chatgpt_user_id: profile.userId,
      chatgpt_account_id: profile.accountId,
    };
    // The serial keeps two tokens of one second apart.
    const common = { sub: profile.userId, iat: issuedAt, exp: expires, jti: `local-${serial}` };
    const auth = "https://api.openai.com/auth";
    const tokens = {
      idToken: sign({ ...common, email: profile.email, email_verified: true, [auth]: account }),
      accessToken: sign({
        ...common,
        scp: ["openid", "profile", "email", "offline_access"],
        [auth]: account,
      }),
      refreshToken: `rt-local-${serial}-${randomBytes(18).toString("base64url")}`,
    };
    labels.issue("account-id", tokens.idToken);
    labels.issue("account-access", tokens.accessToken);
    labels.issue("account-refresh", tokens.refreshToken);
    refresh.set(tokens.refreshToken, { family, spent: false });
    access.set(tokens.accessToken, { family, expiresAtMs: expires * 1000 });
    return tokens;
  };

  return {
    profile,
    issue() {
      families += 1;
      return issueIn(families);
    },
    spend(refreshToken) {
      const found = refresh.get(refreshToken);
      if (!found || revoked.has(found.family)) return { refused: "refresh_token_invalidated" };
      if (found.spent) return { refused: "refresh_token_reused" };
      found.spent = true;
      return { tokens: issueIn(found.family) };
    },
    revoke(token) {
      const found = refresh.get(token) ?? access.get(token);
      if (found) revoked.add(found.family);
    },
    isAccepted(accessToken) {
      const found = access.get(accessToken);
      return found !== undefined && !revoked.has(found.family) && found.expiresAtMs > Date.now();
    },
    expireAccessTokens: () => access.clear(),
    setAccessTokenTtl(seconds) {
      ttlSeconds = seconds;
    },
  };
}
