import type { IdentityScope } from "@hawser/client-identity";
import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";
import { type AppMethod, appMethod } from "../connections/app-method.ts";
import type { ThreadRegistry } from "../threads/thread-registry.ts";
import type { McpAccess } from "./mcp-access.ts";
import { authenticationRequired, toolCallRefusal } from "./mcp-refusal.ts";
import type { McpRegistry } from "./mcp-registry.ts";
import type { McpServer } from "./mcp-server.ts";

export interface McpMethodsOptions {
  readonly servers: McpRegistry;
  readonly access: McpAccess;
  readonly threads: ThreadRegistry;
  readonly scope: IdentityScope;
}

/** `mcpServerStatus/list` and `mcpServer/tool/call`, on the sessions that this process keeps. */
export function mcpMethods(options: McpMethodsOptions): readonly AppMethod[] {
  const { servers, access, threads, scope } = options;
  return [
    appMethod("mcpServerStatus/list", statusParams, async (params, { connection }) => {
      const { serverName, cursor, limit } = params;
      const chosen = servers.enabled().filter(({ name }) => serverName == null || name === serverName);
      const from = Number(cursor ?? 0);
      const to = from + (limit ?? 100);
      const page = chosen.slice(from, to);
      const data = await scope.run(connection.identity, () =>
        Promise.all(page.map((server) => statusOf(server, access))),
      );
      return { data, nextCursor: to < chosen.length ? String(to) : null };
    }),
    appMethod("mcpServer/tool/call", callParams, async (params, { connection, signal }) => {
      threads.get(params.threadId);
      const server = servers.get(params.server);
      if (server === undefined || !server.config.enabled) {
        throw new RpcError(-32603, `unknown MCP server '${params.server.slice(0, 80)}'`);
      }
      const call = { name: params.tool, arguments: params.arguments ?? {} };
      try {
        return await server.callTool(call, { identity: connection.identity, signal });
      } catch (error) {
        const result = authenticationRequired(error);
        if (result === undefined) throw toolCallRefusal(error);
        return result;
      }
    }),
  ];
}

const statusParams = z.looseObject({
  serverName: z.string().nullish(),
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .nullish(),
  limit: z.number().int().positive().max(1_000).nullish(),
});

const callParams = z.looseObject({
  threadId: z.string(),
  server: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()).nullish(),
});

async function statusOf(server: McpServer, access: McpAccess): Promise<Record<string, unknown>> {
  const state = await server.start();
  const info = server.serverInfo();
  return {
    name: server.name,
    httpOrigin: server.config.url?.origin ?? null,
    serverInfo:
      info === undefined ? null : { name: info.name, version: info.version, title: info.title ?? null },
    serverCapabilities: info?.capabilities ?? null,
    tools: Object.fromEntries(server.tools.map((tool) => [tool.name, tool])),
    toolsError: state.status === "failed" ? state.error : null,
    resources: [],
    resourceTemplates: [],
    authStatus: await access.statusOf(server),
  };
}
