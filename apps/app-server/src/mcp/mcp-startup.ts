import type { Thread } from "../threads/thread.ts";
import type { McpRegistry } from "./mcp-registry.ts";
import type { McpServer, McpServerState } from "./mcp-server.ts";

/** Starts what is not running yet and tells the thread's followers how each server is doing. */
export function startServersFor(thread: Thread, servers: McpRegistry): void {
  for (const server of servers.enabled()) announceStart(thread, server, server.start());
}

/** Tells a thread's followers of a start under way, and of its end. */
export function announceStart(thread: Thread, server: McpServer, started: Promise<McpServerState>): void {
  const tell = (state: McpServerState): void =>
    thread.publish("mcpServer/startupStatus/updated", {
      threadId: thread.id,
      name: server.name,
      status: state.status,
      error: state.status === "failed" ? state.error : null,
      failureReason: null,
    });
  tell({ status: "starting" });
  void started.then(tell);
}
