import type { HttpTransport } from "@hawser/transport";
import { z } from "zod";
import { plainCode } from "./callback-server.ts";
import { type AuthorizationFacts, words } from "./discover-authorization.ts";
import { McpHttpError } from "./errors.ts";
import { postForm } from "./post-form.ts";
import { parseJson } from "./read-json.ts";

export interface ExchangeCodeOptions {
  readonly transport: HttpTransport;
  readonly facts: AuthorizationFacts;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly verifier: string;
  readonly code: string;
  /** What was asked for: what is granted when the answer does not say. */
  readonly scopes: readonly string[];
}

export interface ExchangedTokens {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly expiresAtMs?: number;
  readonly scopes: readonly string[];
}

const tenYearsS = 315_360_000;

const schema = z.object({
  access_token: z.string().min(1),
  token_type: z.string().refine((type) => type.toLowerCase() === "bearer"),
  refresh_token: z.string().min(1).nullish(),
  expires_in: z.coerce.number().min(1).max(tenYearsS).optional().catch(undefined),
  scope: z.string().nullish(),
});

/** Trades the authorization code for tokens (RFC 6749, 4.1.3), once. No error repeats what the server answered. */
export async function exchangeCode(options: ExchangeCodeOptions): Promise<ExchangedTokens> {
  const { transport, facts, clientId, redirectUri, verifier, code, scopes } = options;
  const answer = await postForm({
    transport,
    url: facts.server.tokenEndpoint,
    fields: {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: verifier,
      resource: facts.resource,
    },
    timeoutMs: 30_000,
  });
  if (answer.sent !== "yes") throw failed("no answer to the authorization code", answer.code);
  const receivedAtMs = Date.now();
  const json = parseJson(answer.body);
  if (answer.status !== 200) {
    const said = z.object({ error: z.string() }).safeParse(json);
    const reason = said.success ? plainCode(said.data.error) : `status-${answer.status}`;
    throw failed("the authorization server refused the authorization code", reason);
  }
  const tokens = schema.safeParse(json);
  if (!tokens.success) throw failed("the authorization server's answer has no usable token", "answer");
  const { access_token, refresh_token, expires_in, scope } = tokens.data;
  return {
    accessToken: access_token,
    ...(refresh_token == null ? {} : { refreshToken: refresh_token }),
    ...(expires_in === undefined ? {} : { expiresAtMs: receivedAtMs + expires_in * 1_000 }),
    scopes: scope == null ? scopes : words(scope),
  };
}

function failed(text: string, reason: string): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_LOGIN_FAILED", text, { reason });
}
