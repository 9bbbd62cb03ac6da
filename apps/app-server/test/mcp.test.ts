import { startLocalUpstream } from "@hawser/local-upstream";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { AppClient } from "./app-client.ts";
import { logInToServer, startThread } from "./client-actions.ts";
import { startAppServer } from "./start-app-server.ts";
import { startExecServer } from "./start-exec-server.ts";

const startup = (client: AppClient, wanted: string) =>
  client.notified("mcpServer/startupStatus/updated", ({ status }) => status === wanted);

describe("an MCP server with a login", () => {
  it(
    "offers its tools to the model, through the exec-server, on one replica",
    proves("app-server/tools-of-mcp-servers", "app-server/environment-traffic"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using execServer = await startExecServer({ env: { SSL_CERT_FILE: upstream.ca.file } });
      await using server = await startAppServer({ upstream, execServer });
      const client = await server.connect("client_a");
      await client.request("account/login/start", { type: "apiKey", apiKey: "sk-local" });

      const early = await startThread(client);
      expect((await startup(client, "failed")).params).toMatchObject({
        threadId: early,
        name: "secure",
        error: expect.stringContaining("not logged in"),
      });
      expect(await client.request("mcpServerStatus/list", {})).toMatchObject({
        data: [{ name: "secure", authStatus: "notLoggedIn", tools: {} }],
      });

      await logInToServer(client, upstream);
      // The loaded thread learns of it without being started again.
      expect((await startup(client, "ready")).params).toMatchObject({ threadId: early });
      await client.request("turn/start", {
        threadId: early,
        input: [{ type: "text", text: "use the tool" }],
      });
      const { params } = await client.notified("turn/completed");

      expect(params["turn"]).toMatchObject({
        status: "completed",
        items: [{ text: expect.stringContaining("The tool says: ") }],
      });
      const items = client.notifications.flatMap(({ params: { item } }) => item ?? []);
      expect(items).toContainEqual(
        expect.objectContaining({ type: "mcpToolCall", server: "secure", status: "completed" }),
      );
      expect(await client.request("mcpServerStatus/list", {})).toMatchObject({
        data: [{ authStatus: "oAuth", toolsError: null, tools: { echo: { name: "echo" } } }],
      });
      const session = upstream.seen.filter(({ headers }) => headers["mcp-session-id"] !== undefined);
      expect(new Set(session.map(({ replica }) => replica)).size).toBe(1);
      expect(session.every(({ headers }) => headers["cookie"]?.includes("__cflb="))).toBe(true);
      const call = session.find(({ rpcMethod }) => rpcMethod === "tools/call");
      expect(call?.headers["originator"]).toBe("client_a");
      const opened = upstream.seen.filter(
        ({ rpcMethod, status }) => rpcMethod === "initialize" && status === 200,
      );
      expect(opened.map(({ headers }) => headers["originator"])).toEqual(["hawser"]);
    },
  );

  it("answers direct calls, one refresh for all of them", async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    await logInToServer(client, upstream);
    const threadId = await startThread(client);
    const call = (more: object) =>
      client.request("mcpServer/tool/call", {
        ...{ threadId, server: "secure", tool: "echo", arguments: { text: "hi" } },
        ...more,
      });

    expect(await call({})).toMatchObject({ content: [{ type: "text", text: "hi" }] });
    const held = upstream.mcp.holdToolCalls(20);
    const calls = Array.from({ length: 20 }, (_, n) => call({ arguments: { text: `${n}` } }));
    await held.held;
    await upstream.mcp.destroyAccessTokens();
    held.release();
    const results = await Promise.all(calls);

    expect(results.map(({ content }) => (content as { text: string }[])[0]?.text)).toEqual(
      Array.from({ length: 20 }, (_, n) => `${n}`),
    );
    expect(upstream.mcp.refreshGrants).toBe(1);
    await expect(call({ server: "zz" })).rejects.toMatchObject({
      code: -32603,
      message: "unknown MCP server 'zz'",
    });
    await expect(call({ threadId: "zz" })).rejects.toMatchObject({ message: "invalid thread id: zz" });
    await expect(client.request("mcpServer/oauth/login", { name: "nope" })).rejects.toMatchObject({
      code: -32600,
      message: "No MCP server named 'nope' found.",
    });
  });

  it("tells a caller without a login that it needs one", async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    const threadId = await startThread(client);
    const result = await client.request("mcpServer/tool/call", { threadId, server: "secure", tool: "echo" });
    expect(result).toMatchObject({
      isError: true,
      content: [{ type: "text", text: "Authentication required" }],
    });
  });
});
