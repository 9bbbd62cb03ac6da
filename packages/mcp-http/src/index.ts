export type { BearerSource, BearerView } from "./bearer-source.ts";
export {
  createMcpClient,
  type McpCallLimits,
  type McpClient,
  type McpClientOptions,
  type McpServerInfo,
} from "./create-mcp-client.ts";
export { createMcpFetch, type McpFetchOptions } from "./create-mcp-fetch.ts";
export { isMcpHttpError, McpHttpError, type McpHttpErrorCode, type McpHttpErrorDetails } from "./errors.ts";
