import { createHash, randomBytes } from "node:crypto";
import type { CredentialHandle, LoginOptions, OAuthCredential } from "@hawser/oauth-store";
import type { HttpTransport } from "@hawser/transport";
import type { BearerView } from "./bearer-source.ts";
import { type CallbackServer, startCallbackServer } from "./callback-server.ts";
import { type AuthorizationFacts, discoverAuthorization } from "./discover-authorization.ts";
import { McpHttpError } from "./errors.ts";
import { exchangeCode } from "./exchange-code.ts";
import { formatPins } from "./login-pins.ts";
import { registerClient } from "./register-client.ts";

/** Where a login goes: any session of the `oauthCredential` kind. */
export interface LoginTarget {
  login(credential: OAuthCredential, options?: LoginOptions): Promise<CredentialHandle<BearerView>>;
}

export interface LoginMcpServerOptions {
  readonly serverName: string;
  readonly serverUrl: string | URL;
  /** Sends to whatever the server names: give it one with an egress policy. */
  readonly transport: HttpTransport;
  readonly session: LoginTarget;
  /** Shown to the person by the authorization server. */
  readonly clientName: string;
  /** A client registered beforehand, without a secret. @defaultValue a new one is registered */
  readonly clientId?: string | undefined;
  /** @defaultValue what the server asks for */
  readonly scopes?: readonly string[] | undefined;
  /** Where on 127.0.0.1 the browser comes back to. @defaultValue any free port */
  readonly callbackPort?: number | undefined;
  /** From the authorization URL to the answer. @defaultValue 300_000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface McpLogin {
  /**
   * For the person's browser. https, or http on this machine; start a browser with it as one argument, never through
   * a shell.
   */
  readonly authorizationUrl: URL;
  /** What the login asks for. Chosen by the server unless given: show it. */
  readonly scopes: readonly string[];
  /** Resolves when the login is saved. Rejects with `McpHttpError`, or with the store's error. */
  readonly completed: Promise<void>;
  /** Gives the login up: `completed` rejects with `ERR_MCP_HTTP_LOGIN_CANCELLED`. Too late once the code arrived. */
  cancel(): void;
}

/**
 * Begins a login at an MCP server: finds its authorization server, registers a client, and waits on a loopback port for
 * the browser to come back. Authorization code with PKCE (S256 or nothing), `state`, `iss` (RFC 9207) and `resource`
 * (RFC 8707). The session gets the tokens and what they are bound to; nobody else sees them.
 */
export async function loginMcpServer(options: LoginMcpServerOptions): Promise<McpLogin> {
  const { transport, clientName, callbackPort = 0, timeoutMs = 300_000, signal } = options;
  const serverUrl = new URL(options.serverUrl);
  const facts = await discovered(serverUrl, transport, signal);
  const endpoint = authorizationEndpoint(facts);
  const scopes = options.scopes ?? facts.scopes;
  const state = randomBytes(32).toString("base64url");
  const verifier = randomBytes(32).toString("base64url");
  const { issuer, sendsIssuer } = facts.server;

  const callback = await startCallbackServer({
    serverUrl,
    port: callbackPort,
    state,
    issuer,
    issuerRequired: sendsIssuer,
  });
  try {
    const { redirectUri } = callback;
    const registration = { server: facts.server, transport, clientName, redirectUri, scopes, signal };
    const clientId = options.clientId ?? (await registerClient(registration));
    const authorizationUrl = new URL(endpoint);
    setParameters(authorizationUrl, {
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      state,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      resource: facts.resource,
      scope: scopes.length === 0 ? undefined : scopes.join(" "),
    });

    const givenUp = new AbortController();
    const save = async (code: string) => {
      const answer = await exchangeCode({ transport, facts, clientId, redirectUri, verifier, code, scopes });
      const { href } = new URL(options.serverUrl);
      const urlAsGiven = typeof options.serverUrl === "string" ? options.serverUrl : href;
      await options.session.login(
        { serverName: options.serverName, serverUrl: urlAsGiven, issuer, clientId, ...answer },
        { pins: formatPins({ issuer, tokenEndpoint: facts.server.tokenEndpoint, resource: facts.resource }) },
      );
    };
    const completed = codeOrEnd(callback, givenUp.signal, signal, timeoutMs).then(save);
    completed.catch(() => {}); // Reported to whoever waits for it; nobody has to.
    return { authorizationUrl, scopes, completed, cancel: () => givenUp.abort() };
  } catch (error) {
    callback.close();
    throw signal?.aborted === true ? cancelled() : error;
  }
}

async function discovered(
  serverUrl: URL,
  transport: HttpTransport,
  signal: AbortSignal | undefined,
): Promise<AuthorizationFacts> {
  if (signal?.aborted === true) throw cancelled();
  const facts = await discoverAuthorization({ serverUrl, transport, signal }).catch((error: unknown) => {
    throw signal?.aborted === true ? cancelled() : error;
  });
  if (facts !== undefined) return facts;
  throw new McpHttpError("ERR_MCP_HTTP_UNSUPPORTED", "the server offers no login", {
    reason: "no-authorization",
  });
}

function authorizationEndpoint({ server }: AuthorizationFacts): URL {
  if (!server.supportsS256) {
    const text = "the authorization server does not announce PKCE with S256";
    throw new McpHttpError("ERR_MCP_HTTP_UNSUPPORTED", text, { reason: "pkce" });
  }
  if (server.authorizationEndpoint === undefined) {
    const text = "the authorization server has no authorization endpoint that may be opened";
    throw new McpHttpError("ERR_MCP_HTTP_UNSUPPORTED", text, { reason: "authorization-endpoint" });
  }
  return server.authorizationEndpoint;
}

async function codeOrEnd(
  callback: CallbackServer,
  givenUp: AbortSignal,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Promise<string> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onCancel = () => reject(cancelled());
  const timer = setTimeout(() => reject(timedOut(timeoutMs)), timeoutMs);
  givenUp.addEventListener("abort", onCancel, { once: true });
  signal?.addEventListener("abort", onCancel, { once: true });
  if (signal?.aborted === true) onCancel();
  try {
    return await Promise.race([callback.code, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onCancel);
    callback.close();
  }
}

function setParameters(url: URL, parameters: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value);
}

function cancelled(): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_LOGIN_CANCELLED", "the login was given up");
}

function timedOut(timeoutMs: number): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_LOGIN_TIMEOUT", `nobody finished the login within ${timeoutMs} ms`);
}
