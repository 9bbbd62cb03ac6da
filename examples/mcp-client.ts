// The whole client: sessions, deadlines, one recovery for a 401 and one for a lost session.

import { createAffinityJar, withAffinityCookies } from "@hawser/cf-affinity-jar";
import { createMcpClient } from "@hawser/mcp-http";
import { loggedIn } from "./logged-in.ts";

const { upstream, transport, session, close } = await loggedIn("example");
const jar = createAffinityJar({ hosts: { exact: ["localhost"], suffixes: [] } });
const client = createMcpClient({
  serverName: "example",
  url: upstream.mcp.url,
  transport: withAffinityCookies(jar)(transport),
  session,
  clientInfo: { name: "example", version: "1.0.0" },
});

const before = await client.callTool({ name: "echo", arguments: { text: "logged in" } });
await upstream.mcp.destroyAccessTokens();
const after = await client.callTool({ name: "echo", arguments: { text: "still logged in" } });
console.log(JSON.stringify([before.content, after.content]), `refreshes: ${upstream.mcp.refreshGrants}`);
await client.close();
await close();
