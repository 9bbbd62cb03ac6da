import { expectThat } from "../narrator.ts";
import { MCP_SERVER } from "../stage.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread } from "../turns.ts";
import { wireCounts } from "../wire-line.ts";

const CALLS = 50;

/** Fifty calls stand at the edge when their token dies: one refresh, fifty results. */
export const oneRefreshForFiftyCalls: TourStep = {
  title: `${CALLS} tool calls lose their token at once: one refresh, all succeed`,
  async run(stage, narrator) {
    const { upstream } = stage;
    const client = await stage.connect("tour_storm", "1.0.0");
    const threadId = await startThread(client);
    const refreshesBefore = upstream.mcp.refreshGrants;
    const before = upstream.seen.length;

    const held = upstream.mcp.holdToolCalls(CALLS);
    const calls = Array.from({ length: CALLS }, (_, index) =>
      client.call<{ content: { text: string }[]; isError?: boolean }>("mcpServer/tool/call", {
        threadId,
        server: MCP_SERVER,
        tool: "echo",
        arguments: { text: `call ${index}` },
      }),
    );
    await Promise.race([held.held, Promise.all(calls)]);
    const destroyed = await upstream.mcp.destroyAccessTokens();
    expectThat(destroyed > 0, "there was no access token to destroy");
    held.release();

    const results = await Promise.all(calls);
    const good = results.filter(
      (result, index) => result.isError !== true && result.content[0]?.text === `call ${index}`,
    );
    expectThat(good.length === CALLS, `${good.length} of ${CALLS} calls succeeded`);
    const refreshes = upstream.mcp.refreshGrants - refreshesBefore;
    expectThat(refreshes === 1, `the token endpoint saw ${refreshes} refreshes`);
    const statuses = upstream.seen.slice(before).filter(({ rpcMethod }) => rpcMethod === "tools/call");
    const accepted = statuses.filter(({ status }) => status === 200).length;
    expectThat(accepted === CALLS, `${accepted} tool calls were accepted`);
    narrator.saw(`tools/call: ${wireCounts(statuses)}`);
    narrator.saw(`POST token refresh_token x ${refreshes}`);
    await client.close();
  },
};
