// The official client as it is, with our fetch under it: it stops losing rotated refresh tokens.

import { createAffinityJar, withAffinityCookies } from "@hawser/cf-affinity-jar";
import { createMcpFetch } from "@hawser/mcp-http";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { loggedIn } from "./logged-in.ts";

const { upstream, transport, session, close } = await loggedIn("example");
const { url } = upstream.mcp;
const jar = createAffinityJar({ hosts: { exact: ["localhost"], suffixes: [] } });
const fetch = createMcpFetch(session, { url, transport: withAffinityCookies(jar)(transport) });
const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(url, { fetch }));

await upstream.mcp.destroyAccessTokens();
const calls = Array.from({ length: 10 }, (_, index) =>
  client.callTool({ name: "echo", arguments: { text: `call ${index}` } }),
);
const results = await Promise.all(calls);
console.log(
  `${results.filter(({ isError }) => isError !== true).length} calls, refreshes: ${upstream.mcp.refreshGrants}`,
);
await client.close();
await close();
