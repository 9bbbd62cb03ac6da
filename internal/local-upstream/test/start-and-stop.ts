import { startLocalUpstream } from "../src/index.ts";

// Ends by itself when the upstream leaves nothing open: no exit() here.
const upstream = await startLocalUpstream();
const bearer = { authorization: "Bearer sk-local", "content-type": "application/json" };
const stalled = fetch(`${upstream.model.baseUrl}/responses`, {
  method: "POST",
  headers: bearer,
  body: JSON.stringify({ stream: true, input: [] }),
});
upstream.model.holdDeltas();
const response = await stalled;
upstream.mcp.holdToolCalls(1);
await upstream.close();
await response.text().catch(() => {});
process.stdout.write("closed\n");
