import type { CredentialHandle } from "@hawser/oauth-store";
import type { FetchLike, OAuthClientProvider } from "@modelcontextprotocol/client";
import type { BearerSource, BearerView } from "./bearer-source.ts";
import { credentialFailure, isAuthorizationRequired } from "./credential-failure.ts";
import { McpHttpError } from "./errors.ts";
import { HandedOut } from "./handed-out.ts";

export interface AsOAuthClientProviderOptions {
  /** What the client's requests are sent with. @defaultValue the global fetch */
  readonly fetch?: FetchLike | undefined;
  /** Longest wait for a new token. The refresh itself goes on. @defaultValue 30_000 */
  readonly recoveryWaitMs?: number | undefined;
}

export interface McpOAuthClientProvider {
  /** For version 1 of the official client, `@ai-sdk/mcp`, and whatever else takes an `OAuthClientProvider`. */
  readonly provider: OAuthClientProvider;
  /** Give it to the same transport as `fetch`: with it a rejected token is replaced within the call. */
  readonly fetch: FetchLike;
}

type Handle = CredentialHandle<BearerView>;

/**
 * A session as an `OAuthClientProvider`. The client gets access tokens; in the place of a refresh token it gets a ticket
 * that only `fetch` understands, and that buys nothing anywhere else. The client's own refresh then ends in the session,
 * where it is one refresh for everybody.
 *
 * Without `fetch` there is no ticket: a rejected token is replaced, but the call fails with
 * `ERR_MCP_HTTP_TOKEN_EXPIRED` and must be made again. It never opens a browser: log in with `loginMcpServer`.
 */
export function asOAuthClientProvider(
  session: BearerSource,
  options: AsOAuthClientProviderOptions = {},
): McpOAuthClientProvider {
  const { fetch: send = (url, init) => fetch(url, init), recoveryWaitMs = 30_000 } = options;
  const handedOut = new HandedOut();
  /** Tickets of the tokens that a server answered with 401. */
  const rejected = new Set<string>();
  let seesRequests = false;
  let failure: McpHttpError | undefined;

  const replaced = async (handle: Handle): Promise<Handle> => {
    try {
      return await session.recover(handle, { signal: AbortSignal.timeout(recoveryWaitMs) });
    } catch (error) {
      throw credentialFailure(error);
    }
  };

  /** The answer of a token endpoint, made here. */
  const redeem = async (ticket: string): Promise<Response> => {
    const handle = handedOut.find((one) => ticketOf(one) === ticket);
    try {
      // The client asks after any 401, a late one too; only a token that was itself rejected is replaced.
      const fresh =
        handle !== undefined && rejected.has(ticket) ? await replaced(handle) : await session.ensureFresh();
      return Response.json(tokensOf(handedOut, fresh, true));
    } catch (error) {
      // The client takes any failure here for a reason to open a browser; there it hears of this one.
      failure = error instanceof McpHttpError ? error : credentialFailure(error);
      throw failure;
    }
  };

  const provider: OAuthClientProvider = {
    get redirectUrl() {
      return "http://127.0.0.1/no-redirect-here";
    },
    get clientMetadata() {
      return { redirect_uris: ["http://127.0.0.1/no-redirect-here"] };
    },
    // Version 2 wants what it reads bound to the issuer it found; a ticket is bound to nothing else anyway.
    clientInformation: (context) => ({ client_id: "hawser", ...issuedBy(context) }),
    async tokens(context) {
      try {
        return { ...tokensOf(handedOut, await session.ensureFresh(), seesRequests), ...issuedBy(context) };
      } catch (error) {
        if (isAuthorizationRequired(error) && session.snapshot() === undefined) return undefined;
        throw credentialFailure(error);
      }
    },
    // The session has them already.
    saveTokens: () => {},
    saveCodeVerifier: () => {},
    codeVerifier: () => {
      throw loginElsewhere();
    },
    async redirectToAuthorization() {
      const known = failure;
      failure = undefined;
      if (known !== undefined) throw known;
      const last = handedOut.find(() => true);
      if (last === undefined || seesRequests) throw loginElsewhere();
      await replaced(last);
      throw new McpHttpError("ERR_MCP_HTTP_TOKEN_EXPIRED", "the token was replaced; call again", {
        retry: "now",
      });
    },
  };

  return {
    provider,
    async fetch(url, init) {
      seesRequests = true;
      const ticket = ticketIn(init);
      if (ticket !== undefined) return redeem(ticket);
      const response = await send(url, init);
      const handle = response.status === 401 ? handedOut.sentWith(init) : undefined;
      if (handle !== undefined) rejected.add(ticketOf(handle));
      return response;
    },
  };
}

const ticketPrefix = "hawser-ticket.";

/** Names a generation of a login; worth nothing to anybody else. */
function ticketOf({ lineage, generation }: Handle): string {
  return `${ticketPrefix}${lineage}.${generation}`;
}

function tokensOf(handedOut: HandedOut, handle: Handle, withTicket: boolean) {
  return {
    access_token: handedOut.give(handle),
    token_type: "Bearer",
    ...(withTicket ? { refresh_token: ticketOf(handle) } : {}),
  };
}

function issuedBy(context: { readonly issuer: string } | undefined): { issuer?: string } {
  return context === undefined ? {} : { issuer: context.issuer };
}

function ticketIn(init: RequestInit | undefined): string | undefined {
  if (init?.method?.toUpperCase() !== "POST") return undefined;
  const { body } = init;
  if (!(body instanceof URLSearchParams) && typeof body !== "string") return undefined;
  if (typeof body === "string" && !body.includes(ticketPrefix)) return undefined;
  const ticket = new URLSearchParams(body).get("refresh_token");
  return ticket?.startsWith(ticketPrefix) === true ? ticket : undefined;
}

function loginElsewhere(): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", "the server wants a new login");
}
