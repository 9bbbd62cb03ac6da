import { createIdentityScope, processIdentity } from "@hawser/client-identity";
import type { McpClient } from "@hawser/mcp-http";
import { describe, expect, it } from "vitest";
import type { McpServerConfig } from "../config/app-config.ts";
import { McpServer } from "./mcp-server.ts";

const config: McpServerConfig = {
  name: "s",
  url: new URL("https://s.example/mcp"),
  enabled: true,
  headers: new Map(),
  toolTimeoutMs: 1_000,
};
const info = { name: "s", version: "1", protocolVersion: "p", capabilities: {} };
const { process } = createIdentityScope(processIdentity({ name: "server", version: "1" }));

let connects = 0;

/** Clients whose start waits until the test says how it ends. */
function setUp() {
  const made: { connected: PromiseWithResolvers<void>; closed: boolean; tool: string }[] = [];
  const createClient = (): McpClient => {
    const one = { connected: Promise.withResolvers<void>(), closed: false, tool: `tool-${made.length + 1}` };
    made.push(one);
    const close = async (): Promise<void> => {
      one.closed = true;
    };
    return {
      connect: () => {
        connects += 1;
        return one.connected.promise.then(() => info);
      },
      listTools: async () => [{ name: one.tool, inputSchema: { type: "object" } }],
      callTool: async ({ name }) => ({ content: [{ type: "text", text: `${name} on ${one.tool}` }] }),
      serverInfo: () => info,
      close,
      [Symbol.asyncDispose]: close,
    };
  };
  return { made, server: new McpServer({ config, createClient }) };
}

describe(McpServer, () => {
  it("starts once for all who ask at once", async () => {
    const { made, server } = setUp();
    const starts = [server.start(), server.start()];
    made[0]?.connected.resolve();
    expect((await Promise.all(starts)).map(({ status }) => status)).toEqual(["ready", "ready"]);
    expect(await server.start()).toMatchObject({ status: "ready" });
    expect(made).toHaveLength(1);
  });

  it("tries again after a start that failed", async () => {
    const { made, server } = setUp();
    const first = server.start();
    made[0]?.connected.reject(new Error("no\u001b[31m route"));
    expect(await first).toEqual({ status: "failed", error: "no [31m route" });
    connects = 0;
    void server.start();
    expect(connects).toBe(1);
  });

  it("keeps the outcome of a restart when the older start ends later", async () => {
    const { made, server } = setUp();
    const older = server.start();
    const newer = server.restart();
    made[1]?.connected.resolve();
    expect(await newer).toMatchObject({ status: "ready", tools: [{ name: "tool-2" }] });
    made[0]?.connected.reject(new Error("closed"));
    expect(await older).toMatchObject({ status: "failed" });
    expect(server.tools.map(({ name }) => name)).toEqual(["tool-2"]);
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("lets a call wait for the start under way, and only as long as its caller does", async () => {
    const { made, server } = setUp();
    void server.start();
    const call = { name: "t", arguments: {} };
    const patient = server.callTool(call, { identity: process, signal: new AbortController().signal });
    const gone = new AbortController();
    const leaving = server.callTool(call, { identity: process, signal: gone.signal });
    gone.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
    made[0]?.connected.resolve();
    expect(await patient).toEqual({ content: [{ type: "text", text: "t on tool-1" }] });
  });

  it("says that a server without a url is not supported", async () => {
    const server = new McpServer({ config, createClient: undefined });
    expect(await server.start()).toEqual({
      status: "failed",
      error: "not supported: only servers with a url are",
    });
  });
});
