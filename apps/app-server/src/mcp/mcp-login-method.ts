import { randomUUID } from "node:crypto";
import type { IdentityScope } from "@hawser/client-identity";
import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";
import { type AppMethod, appMethod } from "../connections/app-method.ts";
import type { ConnectionRegistry } from "../connections/connection-registry.ts";
import type { ThreadRegistry } from "../threads/thread-registry.ts";
import type { McpAccess, McpLogin } from "./mcp-access.ts";
import { shown } from "./mcp-refusal.ts";
import type { McpRegistry } from "./mcp-registry.ts";
import type { McpServer } from "./mcp-server.ts";
import { announceStart } from "./mcp-startup.ts";

export interface McpLoginMethodOptions {
  readonly servers: McpRegistry;
  readonly access: McpAccess;
  readonly threads: ThreadRegistry;
  readonly connections: ConnectionRegistry;
  readonly scope: IdentityScope;
  /** Aborts when the server shuts down. */
  readonly shutdown: AbortSignal;
}

/** `mcpServer/oauth/login`: the address to open at once, everything else as a notification to all. */
export function mcpLoginMethod(options: McpLoginMethodOptions): AppMethod {
  const { servers, access, connections, scope, shutdown } = options;
  return appMethod("mcpServer/oauth/login", loginParams, async (params, { connection, afterReply }) => {
    const server = servers.get(params.name);
    if (server === undefined) {
      throw new RpcError(-32600, `No MCP server named '${params.name.slice(0, 80)}' found.`);
    }
    const timeout = AbortSignal.timeout((params.timeoutSecs ?? 300) * 1000);
    const signal = AbortSignal.any([shutdown, timeout]);
    const scopes = params.scopes ?? server.config.scopes;
    // A login is the work of the client that asked for it, up to the credential it brings.
    const login = await scope.run(connection.identity, () => begin(access, server, scopes, signal));
    const loginId = randomUUID();
    afterReply(() => {
      const told = { name: server.name, threadId: params.threadId ?? null, loginId };
      void login.completed.then(
        () => {
          // Begun before anybody hears of the login: a call that follows the news waits for the new session.
          restart(server, options);
          connections.broadcast("mcpServer/oauthLogin/completed", { ...told, success: true, error: null });
        },
        (error: unknown) => {
          const text = timeout.aborted ? "timed out waiting for OAuth callback" : shown(error);
          connections.broadcast("mcpServer/oauthLogin/completed", { ...told, success: false, error: text });
        },
      );
    });
    return { authorizationUrl: login.authorizationUrl.href, loginId };
  });
}

const loginParams = z.looseObject({
  name: z.string(),
  scopes: z.array(z.string()).nullish(),
  timeoutSecs: z.number().int().positive().max(3_600).nullish(),
  threadId: z.string().nullish(),
});

async function begin(
  access: McpAccess,
  server: McpServer,
  scopes: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<McpLogin> {
  const failed = (why: string): RpcError =>
    new RpcError(-32603, `failed to login to MCP server '${server.name}': ${why}`);
  const login = access.login(server, { scopes, signal });
  if (login === undefined) throw failed("it has no login of its own");
  try {
    return await login;
  } catch (error) {
    throw failed(shown(error));
  }
}

function restart(server: McpServer, { threads }: McpLoginMethodOptions): void {
  const restarted = server.restart();
  for (const thread of threads.list()) announceStart(thread, server, restarted);
}
