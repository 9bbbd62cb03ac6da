import { type InterceptedRequest, proves, startInterceptingProxy, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { startThread } from "./client-actions.ts";
import { startAppServer } from "./start-app-server.ts";
import { startExecServer } from "./start-exec-server.ts";

const PLUGIN_SERVICE = "https://chatgpt.com/backend-api/ps/mcp";

/** An MCP server in the place of the plugin service; it moves its clients from west to central when they list tools. */
function pluginService({ method, headers, body }: InterceptedRequest) {
  if (method !== "POST") return { status: method === "DELETE" ? 200 : 405 };
  const { id, method: rpcMethod } = JSON.parse(body) as { id?: number; method: string };
  const via = headers["x-via"];
  const result = (value: object, cookies: string[] = []) => ({
    headers: { "mcp-session-id": `${via}-session`, "set-cookie": cookies },
    json: { jsonrpc: "2.0", id, result: value },
  });
  switch (rpcMethod) {
    case "initialize":
      return result(
        {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "ps", version: "1" },
        },
        [`__cflb=${via}-west; Path=/; Secure; HttpOnly`, "session=private; Path=/; Secure"],
      );
    case "tools/list":
      return result({ tools: [{ name: "echo", inputSchema: { type: "object" } }] }, [
        `__cflb=${via}-central; Path=/; Secure; HttpOnly`,
      ]);
    case "tools/call":
      return result({ content: [{ type: "text", text: "here" }] });
    default:
      return { status: 202 };
  }
}

describe("affinity of an MCP server that is reached through an exec-server", () => {
  it(
    "is kept there and stays out of this process, whose own jar serves its own requests to the same host",
    proves("app-server/affinity-of-the-sender"),
    async () => {
      await using home = await temporaryHome();
      await using proxy = await startInterceptingProxy({ handler: pluginService });
      const env = { HTTPS_PROXY: proxy.url.href, SSL_CERT_FILE: await home.write("ca.pem", proxy.caPem) };
      await using execServer = await startExecServer({ env, config: "" });
      await using server = await startAppServer({
        env,
        config: `
[mcp_servers.direct]
url = "${PLUGIN_SERVICE}"
http_headers = { "x-via" = "direct" }
[mcp_servers.remote]
url = "${PLUGIN_SERVICE}"
http_headers = { "x-via" = "remote" }
environment_id = "exec"
[[environments]]
id = "exec"
url = "${execServer.url}"
auth_bearer_token = "${execServer.bearer}"
`,
      });
      // Four independent clients of one process; each server's session is opened by whoever comes first.
      const clients = await Promise.all(["a", "b", "c", "d"].map((name) => server.connect(name)));
      for (const via of ["direct", "remote"]) {
        for (const client of clients) {
          const threadId = await startThread(client);
          await client.notified(
            "mcpServer/startupStatus/updated",
            ({ name, status }) => name === via && status === "ready",
          );
          const call = { threadId, server: via, tool: "echo", arguments: {} };
          expect(await client.request("mcpServer/tool/call", call)).toMatchObject({
            content: [{ text: "here" }],
          });
        }
      }

      const cookiesOf = (via: string, rpcMethod: string): (string | undefined)[] =>
        proxy.seen
          .filter(({ headers, body }) => headers["x-via"] === via && body.includes(`"${rpcMethod}"`))
          .map(({ headers }) => headers["cookie"]);
      expect(new Set(proxy.seen.map(({ url }) => url.href))).toEqual(new Set([PLUGIN_SERVICE]));
      for (const via of ["direct", "remote"]) {
        expect(cookiesOf(via, "initialize")).toEqual([undefined]);
        expect(cookiesOf(via, "tools/list")).toEqual([`__cflb=${via}-west`]);
        expect(cookiesOf(via, "tools/call")).toEqual(clients.map(() => `__cflb=${via}-central`));
      }
      const handedOver = execServer.handedOver.flatMap(({ headers }) => headers);
      expect(execServer.handedOver.length).toBeGreaterThanOrEqual(7);
      expect(handedOver.filter(({ name }) => /^(set-)?cookie/i.test(name))).toEqual([]);
      // Neither jar reaches a disk.
      for (const [, content] of await server.files()) expect(content).not.toMatch(/-west|-central/);
    },
  );
});

describe("a challenge page in front of an MCP server", () => {
  it(
    "ends the start at once and is named, here and through an exec-server",
    proves("app-server/challenge-is-final"),
    async () => {
      await using home = await temporaryHome();
      await using proxy = await startInterceptingProxy({
        handler: () => ({ status: 403, headers: { "cf-mitigated": "challenge" }, body: "<html>" }),
      });
      const env = { HTTPS_PROXY: proxy.url.href, SSL_CERT_FILE: await home.write("ca.pem", proxy.caPem) };
      await using execServer = await startExecServer({ env, config: "" });
      await using server = await startAppServer({
        env,
        config: `
[mcp_servers.direct]
url = "https://chatgpt.com/direct"
[mcp_servers.remote]
url = "https://chatgpt.com/remote"
environment_id = "exec"
[[environments]]
id = "exec"
url = "${execServer.url}"
auth_bearer_token = "${execServer.bearer}"
`,
      });
      const client = await server.connect("a");
      await startThread(client);
      for (const via of ["direct", "remote"]) {
        const { params } = await client.notified(
          "mcpServer/startupStatus/updated",
          ({ name, status }) => name === via && status === "failed",
        );
        expect(params["error"]).toContain("chatgpt.com is behind a Cloudflare challenge");
      }
      expect(proxy.seen.map(({ url }) => url.pathname).sort()).toEqual(["/direct", "/remote"]);
    },
  );
});
