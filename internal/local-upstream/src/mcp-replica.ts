import { randomUUID } from "node:crypto";
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Exchange, sendJson } from "./loopback-server.ts";

/** One of several equal MCP servers; sessions live in the one that opened them, and nowhere else. */
export interface McpReplica {
  readonly name: string;
  readonly sessions: number;
  handle(exchange: Exchange): Promise<void>;
  dropSessions(): void;
}

export function createMcpReplica(name: string): McpReplica {
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();

  const open = async (): Promise<NodeStreamableHTTPServerTransport> => {
    const transport: NodeStreamableHTTPServerTransport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => `${name}-${randomUUID()}`,
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
      },
      onsessionclosed: (id) => {
        sessions.delete(id);
      },
    });
    await toolServer(name, () => transport.sessionId ?? "none").connect(transport);
    return transport;
  };

  return {
    name,
    get sessions() {
      return sessions.size;
    },
    async handle({ seen, request, response }) {
      const id = seen.headers["mcp-session-id"];
      if (id === undefined && seen.rpcMethod !== "initialize") {
        sendJson(response, 400, rpcError(-32000, "Mcp-Session-Id is required"));
        return;
      }
      const transport = id === undefined ? await open() : sessions.get(id);
      if (!transport) sendJson(response, 404, rpcError(-32001, "Session not found"));
      else await transport.handleRequest(request, response, seen.bodyJson);
    },
    dropSessions() {
      const dropped = [...sessions.values()];
      sessions.clear();
      // The answers still open on them end with the transport; nothing waits for that.
      for (const transport of dropped) transport.close().catch(() => {});
    },
  };
}

function toolServer(replica: string, sessionId: () => string): McpServer {
  const server = new McpServer({ name: "hawser-local-upstream", version: "1.0.0" });
  server.registerTool(
    "echo",
    {
      description: "Returns the text it is given.",
      inputSchema: z.object({ text: z.string() }),
      annotations: { readOnlyHint: true },
    },
    async ({ text }) => ({ content: [{ type: "text", text }] }),
  );
  server.registerTool(
    "whoami",
    {
      description: "Returns the replica that answers and the session it answers in, as JSON.",
      inputSchema: z.object({}),
      annotations: { readOnlyHint: true },
    },
    async () => ({ content: [{ type: "text", text: JSON.stringify({ replica, sessionId: sessionId() }) }] }),
  );
  return server;
}

function rpcError(code: number, message: string): unknown {
  return { jsonrpc: "2.0", error: { code, message }, id: null };
}
