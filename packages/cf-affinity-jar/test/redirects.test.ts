import { proves, type ScriptedServer, selfSignedCa, startScriptedServer } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, withRedirects } from "@hawser/transport";
import { afterEach, describe, expect, it } from "vitest";
import { createAffinityJar, withAffinityCookies } from "../src/index.ts";

const servers: ScriptedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe("affinity across redirects", () => {
  it(
    "is asked anew for the host of each hop, and learns from each",
    proves("cf-affinity-jar/any-status", "cf-affinity-jar/hosts", "cf-affinity-jar/own-hosts"),
    async () => {
      const ca = await selfSignedCa();
      const tls = await ca.issue(["localhost", "127.0.0.1"]);
      const stranger = await startScriptedServer({ tls });
      const origin = await startScriptedServer({
        tls,
        handler: ({ path }) => {
          if (path === "/start") {
            return { status: 302, headers: { location: "/next", "set-cookie": "__cflb=west; Path=/" } };
          }
          // The other server's name in the certificate is an address, so it is another host.
          return {
            status: 302,
            headers: { location: `https://127.0.0.1:${stranger.port}/`, "set-cookie": "__cf_bm=b" },
          };
        },
      });
      servers.push(stranger, origin);
      const dispatcher = createDispatcher({ ca: ca.pem });
      const jar = createAffinityJar({ hosts: { exact: ["localhost"], suffixes: [] } });
      const transport = withRedirects({ mode: "follow" })(
        withAffinityCookies(jar)(createUndiciTransport({ dispatcher })),
      );

      const response = await transport.send({
        method: "GET",
        url: new URL("/start", origin.url),
        headers: [],
      });
      await response.bytes();
      await dispatcher.close();

      expect(response.status).toBe(200);
      expect(origin.seen.map(({ path, headers }) => [path, headers["cookie"]])).toEqual([
        ["/start", undefined],
        ["/next", "__cflb=west"],
      ]);
      expect(stranger.seen.map(({ headers }) => headers["cookie"])).toEqual([undefined]);
      expect(jar.inspect().map(({ name }) => name)).toEqual(["__cflb", "__cf_bm"]);
    },
  );
});
