// For clients that insist on an OAuthClientProvider: the refresh token is never handed out, so they cannot lose it.

import { createAffinityJar, withAffinityCookies } from "@hawser/cf-affinity-jar";
import { asOAuthClientProvider } from "@hawser/mcp-http";
import { toFetch } from "@hawser/transport";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { loggedIn } from "./logged-in.ts";

const { upstream, transport, session, close } = await loggedIn("example");
const jar = createAffinityJar({ hosts: { exact: ["localhost"], suffixes: [] } });
const { provider, fetch } = asOAuthClientProvider(session, {
  fetch: toFetch(withAffinityCookies(jar)(transport)),
});
const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(upstream.mcp.url, { fetch, authProvider: provider }));
const result = await client.callTool({ name: "echo", arguments: { text: "hello" } });
console.log(JSON.stringify(result.content));
await client.close();
await close();
