import type { AnswerVerdict, CredentialKind, JsonValue } from "@hawser/oauth-store";
import { z } from "zod";
import { AccountCredential, type LoginTokens, type Provenance } from "./account-credential.ts";
import { AccountView } from "./account-view.ts";
import { classifyRefreshFailure, finalErrors, unknownUnauthorized } from "./classify-refresh-failure.ts";
import { type JwtClaims, readJwtClaims } from "./jwt-claims.ts";
import { refreshNeed } from "./refresh-need.ts";

const text = z.string().min(1).optional().catch(undefined);

/** An answer of the token endpoint; everything in it is optional on the wire. */
const answerSchema = z.object({
  access_token: text,
  refresh_token: text,
  id_token: text,
  token_type: z.unknown().optional(),
  expires_in: z.unknown().optional(),
});

/** What the credential engine has to know of `auth.json`. Issuer and client stand for files that do not name theirs. */
export function accountKind(configured: Provenance): CredentialKind<AccountCredential, AccountView> {
  const issuer = (credential: AccountCredential) => credential.provenance?.issuer ?? configured.issuer;
  const client = (credential: AccountCredential) => credential.provenance?.clientId ?? configured.clientId;
  return {
    name: "account",
    parse(stored) {
      const credential = AccountCredential.parse(stored);
      if (credential === undefined) throw new Error("auth.json does not have the form of a login");
      return credential;
    },
    serialize: (credential, previous) => credential.toStored(previous),
    view: (credential) => new AccountView(credential),
    spendable: (credential) => credential.refreshToken,
    bearer: (credential) => credential.bearer,
    needsRefresh: refreshNeed,
    lifetimeMs: (credential) => credential.accessClaims?.lifetimeMs,
    sameOwner(a, b) {
      if (a.method !== b.method || issuer(a) !== issuer(b) || client(a) !== client(b)) return false;
      // Two API keys tell nothing of whose they are: only the same key is surely the same owner.
      if (a.method === "apikey") return a.bearer === b.bearer;
      if (a.accountId === undefined || a.accountId !== b.accountId) return false;
      return !differ(a.claims?.userId, b.claims?.userId);
    },
    client,
    issuer,
    validate,
    successorOf: (answer) => answerSchema.safeParse(answer).data?.refresh_token,
    merge(previous, answer, at) {
      const read = answerSchema.safeParse(answer).data;
      const brought: Partial<LoginTokens> = {
        ...(read?.refresh_token === undefined ? {} : { refreshToken: read.refresh_token }),
        // The old access token stays in the file, so that a reader without our records still finds one.
        ...(read?.access_token === undefined || at.expired ? {} : { accessToken: read.access_token }),
        // An id token that cannot be read says nothing; the old one still names the account.
        ...(readJwtClaims(read?.id_token ?? "") === undefined ? {} : { idToken: read?.id_token ?? "" }),
      };
      return previous.refreshed(brought, at.expired ? 0 : at.receivedAtMs);
    },
    finalErrors,
    errorOf: (answer, status) => {
      const failure = classifyRefreshFailure({ status, body: answer });
      if (!failure.permanent) return failure.serverCode;
      return finalErrors.includes(failure.serverCode ?? "") ? failure.serverCode : unknownUnauthorized;
    },
  };
}

function validate(previous: AccountCredential, answer: JsonValue): AnswerVerdict {
  const read = answerSchema.safeParse(answer).data;
  if (read?.access_token === undefined && read?.refresh_token === undefined) {
    return { outcome: "unusable", code: "empty_answer" };
  }
  const idClaims = readJwtClaims(read.id_token ?? "");
  const accessClaims = readJwtClaims(read.access_token ?? "");
  if (
    differ(previous.accountId, idClaims?.accountId ?? accessClaims?.accountId) ||
    isAnotherUser(previous.claims, idClaims) ||
    isAnotherUser(previous.accessClaims, accessClaims)
  ) {
    return { outcome: "wrong-account" };
  }
  const damage = damageOf(read);
  if (damage !== undefined) {
    return { outcome: read.refresh_token === undefined ? "unusable" : "refresh-token-only", code: damage };
  }
  return { outcome: "usable", lifetimeMs: lifetimeOf(read.expires_in) ?? accessClaims?.lifetimeMs };
}

function damageOf(read: z.infer<typeof answerSchema>): string | undefined {
  if (read.access_token === undefined) return "access_token_missing";
  if (read.token_type !== undefined && String(read.token_type).toLowerCase() !== "bearer")
    return "token_type";
  if (read.expires_in != null && lifetimeOf(read.expires_in) === undefined) return "expires_in";
  return undefined;
}

const longestLifetimeMs = 10 * 365 * 24 * 3600 * 1000;

/** Whole or broken seconds, also as text: some servers quote numbers. Undefined for anything not finite and positive. */
function lifetimeOf(expiresIn: unknown): number | undefined {
  const seconds =
    typeof expiresIn === "string" && /^\d{1,12}(\.\d+)?$/.test(expiresIn) ? Number(expiresIn) : expiresIn;
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(seconds * 1000, longestLifetimeMs);
}

/** Compares like with like: the subject of an access token need not be that of an id token. */
function isAnotherUser(before: JwtClaims | undefined, after: JwtClaims | undefined): boolean {
  return differ(before?.userId, after?.userId) || differ(before?.subject, after?.subject);
}

/** Both known, and not the same. */
function differ(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}
