export { type AsAuthProviderOptions, asAuthProvider, type McpAuthProvider } from "./as-auth-provider.ts";
export {
  type AsOAuthClientProviderOptions,
  asOAuthClientProvider,
  type McpOAuthClientProvider,
} from "./as-oauth-client-provider.ts";
export type { BearerSource, BearerView } from "./bearer-source.ts";
export {
  createMcpClient,
  type McpCallLimits,
  type McpClient,
  type McpClientOptions,
  type McpServerInfo,
} from "./create-mcp-client.ts";
export { createMcpFetch, type McpFetchOptions } from "./create-mcp-fetch.ts";
export { createMcpRefreshGrant, type McpRefreshGrantOptions } from "./create-mcp-refresh-grant.ts";
export { isMcpHttpError, McpHttpError, type McpHttpErrorCode, type McpHttpErrorDetails } from "./errors.ts";
export {
  type LoginMcpServerOptions,
  type LoginTarget,
  loginMcpServer,
  type McpLogin,
} from "./login-mcp-server.ts";
export { type McpAuthStatus, type ProbeAuthStatusOptions, probeAuthStatus } from "./probe-auth-status.ts";
