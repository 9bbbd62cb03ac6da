import fs from "node:fs";
import path from "node:path";
import { flockProvider, readSpendRecords, storeKey } from "@hawser/oauth-store";
import { expectThat } from "../narrator.ts";
import { MCP_SERVER } from "../stage.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread } from "../turns.ts";

/** The new refresh token is sealed but not stored when the server is killed. The next start finishes the job. */
export const crashBetweenSealAndCommit: TourStep = {
  title: "kill -9 between the answer and the store: nothing is lost, nothing is spent twice",
  async run(stage, narrator) {
    const { upstream } = stage;
    const home = path.join(stage.home, "home");
    const key = storeKey(MCP_SERVER, upstream.mcp.url.href);
    const client = await stage.connect("tour_crash", "1.0.0");
    const threadId = await startThread(client);
    const refreshesBefore = upstream.mcp.refreshGrants;

    const storeLock = path.join(home, "mcp-oauth-locks", "file-store.lock");
    expectThat(fs.existsSync(storeLock), `the store has no lock at ${storeLock}`);
    const lock = await flockProvider().acquire(storeLock);
    try {
      await upstream.mcp.destroyAccessTokens();
      const call = callTool(client, threadId);
      call.catch(() => undefined); // its server is killed below
      await sealed(home, key);
      narrator.saw("spend record: sealed, the store still has the token just spent");
      await stage.killAppServer();
      narrator.saw("app-server killed (SIGKILL)");
    } finally {
      await lock.release();
    }

    await stage.restartAppServer();
    const again = await stage.connect("tour_crash", "1.0.0");
    const result = await callTool(again, await startThread(again));
    expectThat(result.isError !== true, "the call after the restart failed");
    const refreshes = upstream.mcp.refreshGrants - refreshesBefore;
    expectThat(refreshes === 1, `the refresh token was spent ${refreshes} times`);
    const [latest] = await readSpendRecords({ home, key });
    narrator.saw(
      `app-server started again; tools/call works; POST token refresh_token x ${refreshes}; record ${latest?.state}, generation ${latest?.generation}`,
    );
    await again.close();

    function callTool(by: typeof client, thread: string) {
      return by.call<{ isError?: boolean }>("mcpServer/tool/call", {
        threadId: thread,
        server: MCP_SERVER,
        tool: "echo",
        arguments: { text: "still here" },
      });
    }
  },
};

/** Resolves when the newest spend record of the credential reads `sealed`. */
async function sealed(home: string, key: string): Promise<void> {
  for (;;) {
    const records = await readSpendRecords({ home, key });
    if (records.some(({ state }) => state === "sealed")) return;
    // The header is written in place, which no directory watcher reports: look again on the next turn of the loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
