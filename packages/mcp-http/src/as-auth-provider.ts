import type { CredentialHandle } from "@hawser/oauth-store";
import type { AuthProvider, FetchLike } from "@modelcontextprotocol/client";
import type { BearerSource, BearerView } from "./bearer-source.ts";
import { credentialFailure, isAuthorizationRequired } from "./credential-failure.ts";
import { McpHttpError } from "./errors.ts";
import { HandedOut } from "./handed-out.ts";

export interface AsAuthProviderOptions {
  /** What the client's requests are sent with. @defaultValue the global fetch */
  readonly fetch?: FetchLike | undefined;
  /** Longest wait for a new token. The refresh itself goes on. @defaultValue 30_000 */
  readonly recoveryWaitMs?: number | undefined;
}

export interface McpAuthProvider extends Required<AuthProvider> {
  /** Give it to the transport as `fetch`: it notes which token each response answers. */
  readonly fetch: FetchLike;
}

/**
 * A session as the official client's `authProvider`, for a client that must have one. Both halves belong together:
 * `new StreamableHTTPClientTransport(url, { authProvider, fetch: authProvider.fetch })`. A 401 is charged to the token
 * that was sent. The client itself repeats the request, and not for DELETE: `createMcpFetch` covers more.
 */
export function asAuthProvider(session: BearerSource, options: AsAuthProviderOptions = {}): McpAuthProvider {
  const { fetch: send = (url, init) => fetch(url, init), recoveryWaitMs = 30_000 } = options;
  const handedOut = new HandedOut();
  const answeredTo = new WeakMap<Response, CredentialHandle<BearerView>>();

  return {
    async token() {
      try {
        return handedOut.give(await session.ensureFresh());
      } catch (error) {
        if (isAuthorizationRequired(error) && session.snapshot() === undefined) return undefined;
        throw credentialFailure(error);
      }
    },

    async onUnauthorized({ response }) {
      const rejected = answeredTo.get(response);
      if (rejected === undefined) {
        // Without attribution a refresh could be charged to a token that nobody rejected.
        throw session.snapshot() === undefined
          ? new McpHttpError("ERR_MCP_HTTP_AUTHORIZATION_REQUIRED", "the server wants a login", {
              status: 401,
            })
          : new McpHttpError("ERR_MCP_HTTP_OPTIONS", "give the transport this provider's fetch", {
              reason: "unattributed-401",
            });
      }
      try {
        await session.recover(rejected, { signal: AbortSignal.timeout(recoveryWaitMs) });
      } catch (error) {
        throw credentialFailure(error);
      }
    },

    async fetch(url, init) {
      const response = await send(url, init);
      const handle = handedOut.sentWith(init);
      if (handle !== undefined) answeredTo.set(response, handle);
      return response;
    },
  };
}
