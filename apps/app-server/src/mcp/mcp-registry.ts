import type { ClientIdentity, IdentityScope } from "@hawser/client-identity";
import { functionTool } from "../model/model-item.ts";
import type { ToolOutcome, TurnTool, TurnTools } from "../threads/turn-tools.ts";
import { authenticationRequired, shown } from "./mcp-refusal.ts";
import type { McpServer, McpTool, McpToolResult } from "./mcp-server.ts";
import { modelToolName } from "./model-tool-name.ts";

/** Every configured MCP server, and their tools as a turn sees them. */
export class McpRegistry implements TurnTools {
  readonly #servers: ReadonlyMap<string, McpServer>;
  readonly #scope: IdentityScope;

  constructor(servers: Iterable<McpServer>, scope: IdentityScope) {
    this.#servers = new Map([...servers].map((server) => [server.name, server]));
    this.#scope = scope;
  }

  get(name: string): McpServer | undefined {
    return this.#servers.get(name);
  }

  /** The servers that are switched on. */
  enabled(): McpServer[] {
    return [...this.#servers.values()].filter(({ config }) => config.enabled);
  }

  async ready(): Promise<void> {
    await Promise.all(this.enabled().map(({ starting }) => starting));
  }

  available(): ReadonlyMap<string, TurnTool> {
    const tools = this.enabled().flatMap((server) =>
      server.tools.map((tool) => turnTool(server, tool, () => this.#scope.current())),
    );
    return new Map(tools.map((tool) => [tool.offered.name, tool]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }
}

function turnTool(server: McpServer, tool: McpTool, identity: () => ClientIdentity): TurnTool {
  const name = modelToolName(server.name, tool.name);
  return {
    offered: functionTool(name, tool.description ?? "", tool.inputSchema),
    server: server.name,
    tool: tool.name,
    async call(input, signal) {
      try {
        const call = { name: tool.name, arguments: input as Record<string, unknown> };
        return outcomeOf(await server.callTool(call, { identity: identity(), signal }));
      } catch (error) {
        signal.throwIfAborted();
        const result = authenticationRequired(error);
        if (result !== undefined) return outcomeOf(result);
        const message = shown(error);
        return { status: "failed", result: null, error: { message }, output: message };
      }
    },
  };
}

function outcomeOf(result: McpToolResult): ToolOutcome {
  const { content, structuredContent = null, isError } = result;
  return {
    status: isError === true ? "failed" : "completed",
    result: { content, structuredContent },
    error: null,
    output: JSON.stringify(structuredContent ?? content),
  };
}
