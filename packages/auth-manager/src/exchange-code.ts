import type { HttpResponse, HttpTransport } from "@hawser/transport";
import { z } from "zod";
import type { LoginTokens } from "./account-credential.ts";
import { serverCodeOf } from "./classify-refresh-failure.ts";
import { AuthManagerError } from "./errors.ts";
import { readJwtClaims } from "./jwt-claims.ts";
import { maxAnswerBytes, readJsonAnswer } from "./read-answer.ts";

const exchangeTimeoutMs = 30_000;

export interface ExchangeCodeOptions {
  readonly transport: HttpTransport;
  readonly loginTokenUrl: URL;
  readonly clientId: string;
  readonly code: string;
  readonly redirectUri: string;
  readonly verifier: string;
}

const answerSchema = z.object({
  id_token: z.string().refine((token) => readJwtClaims(token) !== undefined),
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
});

/**
 * Trades an authorization code for a login (RFC 6749, section 4.1.3, with PKCE). A code is spent by this, so it cannot
 * be cancelled; 30 s at most. Throws `ERR_AUTH_MANAGER_LOGIN_FAILED` without text of the server.
 */
export async function exchangeCode(options: ExchangeCodeOptions): Promise<LoginTokens> {
  const { transport, loginTokenUrl, clientId, code, redirectUri, verifier } = options;
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    client_id: clientId,
    code_verifier: verifier,
  });
  let response: HttpResponse;
  try {
    response = await transport.send({
      method: "POST",
      url: loginTokenUrl,
      headers: [
        ["content-type", "application/x-www-form-urlencoded"],
        ["accept", "application/json"],
      ],
      body: form.toString(),
      signal: AbortSignal.timeout(exchangeTimeoutMs),
      limits: { maxResponseBytes: maxAnswerBytes },
    });
  } catch {
    // A foreign error may quote the code or the verifier.
    throw failed("The code could not be exchanged: no answer from the authorization server.");
  }
  const body = await readJsonAnswer(response);
  if (response.status < 200 || response.status > 299) {
    const serverCode = serverCodeOf(body);
    const named = serverCode === undefined ? "" : ` (${serverCode})`;
    throw failed(`The code was not exchanged: status ${response.status}${named}.`, response.status);
  }
  const parsed = answerSchema.safeParse(body);
  if (!parsed.success) throw failed("The code was exchanged for an answer without a whole login in it.");
  return {
    idToken: parsed.data.id_token,
    accessToken: parsed.data.access_token,
    refreshToken: parsed.data.refresh_token,
  };
}

function failed(message: string, status?: number): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_FAILED", message, { retry: "now", status });
}
