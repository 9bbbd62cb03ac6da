import { RpcError } from "@hawser/json-rpc";
import { isMcpHttpError } from "@hawser/mcp-http";
import type { McpToolResult } from "./mcp-server.ts";

/** Why a server did not start, for a person. */
export function startFailureText(name: string, error: unknown): string {
  if (isMcpHttpError(error, "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED")) {
    return `The ${name} MCP server is not logged in. Use mcpServer/oauth/login.`;
  }
  return shown(error);
}

/**
 * The answer for a call that the server did not take: a missing login is a result that says so, as the model and the
 * client know it; any other failure an error.
 */
export function authenticationRequired(error: unknown): McpToolResult | undefined {
  if (
    !isMcpHttpError(error, "ERR_MCP_HTTP_AUTHORIZATION_REQUIRED") &&
    !isMcpHttpError(error, "ERR_MCP_HTTP_INSUFFICIENT_SCOPE")
  ) {
    return undefined;
  }
  const { challenge } = error;
  return {
    isError: true,
    content: [{ type: "text", text: "Authentication required" }],
    ...(challenge === undefined ? {} : { _meta: { "mcp/www_authenticate": [challenge] } }),
  };
}

/** A JSON-RPC error of the server is passed on with its code; anything else is ours to name. */
export function toolCallRefusal(error: unknown): RpcError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code === "number") return new RpcError(code, shown(error));
  return new RpcError(-32603, shown(error), typeof code === "string" ? { code } : undefined);
}

/** Text that may hold a stranger's words: short, without control or direction characters. */
export function shown(error: unknown): string {
  const text = error instanceof Error ? error.message : "unknown failure";
  return text.slice(0, 500).replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, " ");
}
