import { proves, selfSignedCa, startScriptedServer, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { RawClient } from "./support/raw-client.ts";
import { startServer } from "./support/start-server.ts";

describe("affinity", () => {
  it.each([[false], [true]])(
    "comes back on the next request, is replaced, and goes to nobody else (streamed: %s)",
    proves("exec-server/affinity"),
    async (streamResponse) => {
      await using home = await temporaryHome();
      const ca = await selfSignedCa();
      const answers = [
        ["__cflb=west; Path=/; Secure; HttpOnly", "session=private; Path=/"],
        ["__cflb=central; Path=/; Secure"],
      ];
      await using upstream = await startScriptedServer({
        tls: await ca.issue(["localhost", "127.0.0.1"]),
        handler: (_seen, { count }) => ({ headers: { "set-cookie": answers[count - 1] ?? [] }, body: "ok" }),
      });
      const config = await home.write("config.toml", '[affinity]\nhosts = ["localhost"]\n');
      const caFile = await home.write("ca.pem", ca.pem);
      await using server = await startServer(["--insecure-no-auth", "--config", config], {
        SSL_CERT_FILE: caFile,
      });

      const request = async (host: string, headers: object[] = []): Promise<void> => {
        // A connection each: the jar belongs to the process.
        await using client = await RawClient.ready(server.url);
        const url = `https://${host}:${upstream.port}/backend`;
        const reply = await client.call("http/request", {
          method: "GET",
          url,
          requestId: "r",
          headers,
          streamResponse,
        });
        expect(reply.error).toBeUndefined();
      };
      await request("localhost");
      await request("localhost");
      await request("127.0.0.1");
      await request("localhost");
      await request("localhost", [{ name: "Cookie", value: "own=1" }]);

      expect(upstream.seen.map(({ headers }) => headers["cookie"])).toEqual([
        undefined,
        "__cflb=west",
        undefined,
        "__cflb=central",
        "own=1",
      ]);
    },
  );
});
