import { expectThat } from "../narrator.ts";
import { MCP_SERVER } from "../stage.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread, takeTurn } from "../turns.ts";
import { wireLine } from "../wire-line.ts";

/** Login to the MCP server, then the model calls its tool; the traffic leaves through the exec-server. */
export const toolThroughExecServer: TourStep = {
  title: "the model calls a tool of a protected MCP server, through the exec-server, on one replica",
  async run(stage, narrator) {
    const { upstream } = stage;
    const client = await stage.connect("tour_tools", "1.0.0");
    const before = upstream.seen.length;
    const login = await client.call<{ authorizationUrl: string }>("mcpServer/oauth/login", {
      name: MCP_SERVER,
    });
    const approved = await upstream.mcp.approve(login.authorizationUrl);
    expectThat(approved.status < 400, `the browser's callback was answered ${approved.status}`);
    const completed = await client.notified(
      "mcpServer/oauthLogin/completed",
      ({ name }) => name === MCP_SERVER,
    );
    expectThat(
      completed.params["success"] === true,
      `the login did not complete: ${completed.params["error"]}`,
    );

    const threadId = await startThread(client);
    await client.notified(
      "mcpServer/startupStatus/updated",
      ({ status, name }) => name === MCP_SERVER && status === "ready",
    );
    const turn = await takeTurn(client, threadId, "Please use the tool.");
    expectThat(turn.status === "completed", `the turn ended as ${turn.status}: ${turn.error}`);

    const calls = upstream.seen.slice(before).filter(({ server }) => server === "mcp");
    const toolCalls = calls.filter(({ rpcMethod, status }) => rpcMethod === "tools/call" && status === 200);
    expectThat(toolCalls.length === 1, `the model's tool call reached the server ${toolCalls.length} times`);
    const inSession = calls.filter(({ headers }) => headers["mcp-session-id"] !== undefined);
    const replicas = new Set(inSession.map(({ replica }) => replica));
    expectThat(replicas.size === 1, `the session's traffic reached ${replicas.size} replicas`);
    expectThat(
      inSession.every(({ headers }) => headers["cookie"]?.includes("__cflb=") === true),
      "a message of the session left without its affinity cookie",
    );
    for (const call of calls) narrator.saw(wireLine(call));
    const grants = upstream.seen.slice(before).filter(({ grant }) => grant !== undefined);
    narrator.saw(`token endpoint: ${grants.map(({ grant }) => grant).join(", ")}`);
    narrator.saw(`answer: ${turn.deltas.join("")}`);
    await client.close();
  },
};
