import type { HeaderList } from "@hawser/transport";
import type { McpServerConfig } from "../config/app-config.ts";

/** The header fields that the configuration gives a server, the bearer of its environment variable among them. */
export function staticHeaders(
  server: McpServerConfig,
  env: Readonly<Record<string, string | undefined>>,
): HeaderList {
  const bearer = env[server.bearerEnvVariable ?? ""];
  return [...server.headers, ...(bearer ? [["authorization", `Bearer ${bearer}`] as const] : [])];
}
