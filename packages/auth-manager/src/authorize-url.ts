/** What the account's authorization server asks for; connectors are part of the login's scope. */
export const accountScopes: readonly string[] = [
  "openid",
  "profile",
  "email",
  "offline_access",
  "api.connectors.read",
  "api.connectors.invoke",
];

export interface AuthorizeUrlOptions {
  readonly authorizeUrl: URL;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state: string;
  /** S256 challenge (RFC 7636). */
  readonly challenge: string;
  /** @defaultValue `accountScopes` */
  readonly scopes?: readonly string[] | undefined;
  /** Name of the client that asks, for the login page. @defaultValue none */
  readonly originator?: string | undefined;
  /** The login must belong to one of these workspaces. @defaultValue any */
  readonly allowedWorkspaceIds?: readonly string[] | undefined;
}

/** The address to open in a browser (RFC 6749, section 4.1.1, with PKCE). */
export function authorizeUrl(options: AuthorizeUrlOptions): URL {
  const { scopes = accountScopes, originator, allowedWorkspaceIds = [] } = options;
  const url = new URL(options.authorizeUrl);
  const set = (name: string, value: string) => url.searchParams.set(name, value);
  set("response_type", "code");
  set("client_id", options.clientId);
  set("redirect_uri", options.redirectUri);
  set("scope", scopes.join(" "));
  set("code_challenge", options.challenge);
  set("code_challenge_method", "S256");
  set("id_token_add_organizations", "true");
  set("codex_cli_simplified_flow", "true");
  set("state", options.state);
  if (originator !== undefined) set("originator", originator);
  if (allowedWorkspaceIds.length > 0) set("allowed_workspace_id", allowedWorkspaceIds.join(","));
  return url;
}
