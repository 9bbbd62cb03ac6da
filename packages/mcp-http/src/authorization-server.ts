import type { HttpTransport } from "@hawser/transport";
import { z } from "zod";
import { McpHttpError } from "./errors.ts";
import { fetchDocument } from "./fetch-document.ts";
import { isReachableFrom } from "./resource.ts";

/** An authorization server as its validated metadata describes it. */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly tokenEndpoint: URL;
  readonly authorizationEndpoint: URL | undefined;
  readonly registrationEndpoint: URL | undefined;
  /** PKCE with S256 is announced. Silence counts as no. */
  readonly supportsS256: boolean;
  /** `iss` comes with every authorization response (RFC 9207), so a response without it is not from this server. */
  readonly sendsIssuer: boolean;
}

export interface AuthorizationServerOptions {
  readonly issuer: string;
  /** The MCP server that named the issuer. */
  readonly serverUrl: URL;
  readonly transport: HttpTransport;
  readonly signal?: AbortSignal | undefined;
}

const schema = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  authorization_endpoint: z.string().optional(),
  registration_endpoint: z.string().optional(),
  code_challenge_methods_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

/**
 * The metadata of an authorization server (RFC 8414, 3; OpenID Connect Discovery 1.0, 4). Undefined when it has none.
 * The issuer in it must be the one asked for, compared as text: anything else could be another server's.
 */
export async function authorizationServerMetadata(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer | undefined> {
  const { issuer, serverUrl, transport, signal } = options;
  const issuerUrl = reachable(issuer, serverUrl);
  if (issuerUrl === undefined) throw contradiction("issuer-url", "the issuer's URL cannot be used");
  for (const url of wellKnownUrls(issuerUrl)) {
    const found = schema.safeParse(await fetchDocument(url, { transport, signal }));
    if (!found.success) continue;
    const { data } = found;
    if (data.issuer !== issuer && !(issuer === issuerUrl.origin && data.issuer === `${issuer}/`)) {
      throw contradiction("issuer-mismatch", "the authorization server's metadata names another issuer");
    }
    const tokenEndpoint = reachable(data.token_endpoint, serverUrl);
    if (tokenEndpoint === undefined)
      throw contradiction("token-endpoint", "the token endpoint cannot be used");
    return {
      issuer: data.issuer,
      tokenEndpoint,
      authorizationEndpoint: reachable(data.authorization_endpoint, serverUrl),
      registrationEndpoint: reachable(data.registration_endpoint, serverUrl),
      supportsS256: data.code_challenge_methods_supported?.includes("S256") ?? false,
      sendsIssuer: data.authorization_response_iss_parameter_supported ?? false,
    };
  }
  return undefined;
}

function wellKnownUrls(issuer: URL): readonly URL[] {
  const path = issuer.pathname.endsWith("/") ? issuer.pathname.slice(0, -1) : issuer.pathname;
  const names = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
  const inserted = names.map((name) => new URL(`${name}${path}`, issuer));
  return path === "" ? inserted : [...inserted, new URL(`${path}/.well-known/openid-configuration`, issuer)];
}

function reachable(text: string | undefined, serverUrl: URL): URL | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return isReachableFrom(serverUrl, url) ? url : undefined;
}

function contradiction(reason: string, text: string): McpHttpError {
  return new McpHttpError("ERR_MCP_HTTP_DISCOVERY", text, { reason });
}
