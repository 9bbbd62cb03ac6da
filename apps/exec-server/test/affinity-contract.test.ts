import { type InterceptingProxy, proves, startInterceptingProxy, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { type Message, RawClient } from "./support/raw-client.ts";
import { startServer, type TestServer } from "./support/start-server.ts";

const PLUGIN_SERVICE = "https://chatgpt.com/backend-api/ps/mcp";

/** What the hosts behind the proxy answer, by the number of the request; 1 is the first. */
type Answers = (count: number) => { status?: number; location?: string; cookies?: readonly string[] };

interface Stage extends AsyncDisposable {
  readonly proxy: InterceptingProxy;
  readonly server: TestServer;
  /** One request, on a connection of its own. */
  request(params: object): Promise<void>;
  /** What arrived: the address and the cookie field. */
  arrived(): [url: string, cookie: string | undefined][];
}

/** The real server, whose only way out is a proxy that opens TLS and answers in the place of every host. */
async function startStage(answers: Answers): Promise<Stage> {
  const home = await temporaryHome();
  const proxy = await startInterceptingProxy({
    handler: (_seen, count) => {
      const { status = 200, location, cookies = [] } = answers(count);
      const headers = { "set-cookie": [...cookies], ...(location === undefined ? {} : { location }) };
      return { status, headers, body: "ok" };
    },
  });
  const caFile = await home.write("ca.pem", proxy.caPem);
  const env = { HTTPS_PROXY: proxy.url.href, HTTP_PROXY: proxy.url.href, CODEX_CA_CERTIFICATE: caFile };
  const server = await startServer(["--insecure-no-auth"], env);
  return {
    proxy,
    server,
    async request(params) {
      await using client = await RawClient.ready(server.url);
      const reply = await client.call("http/request", { method: "POST", requestId: "r", ...params });
      expect(reply.error).toBeUndefined();
      if ("streamResponse" in params && params.streamResponse === true) await client.waitFor(isLastDelta);
    },
    arrived: () => proxy.seen.map(({ url, headers }) => [url.href, headers["cookie"]]),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await proxy.close();
      await home.remove();
    },
  };
}

const isLastDelta = ({ method, params }: Message): boolean =>
  method === "http/request/bodyDelta" && params.done === true;

describe("affinity of the plugin service, through a TLS-intercepting proxy", () => {
  it.each([
    ["buffered", [false, false, false, false]],
    ["streamed", [true, true, true, true]],
    ["by turns", [true, false, true, false]],
  ] as const)(
    "follows four independent clients of one process, and nobody else (%s)",
    proves("exec-server/affinity", "exec-server/affinity-contract"),
    async (_how, streamed) => {
      const cookies = [
        ["__cflb=west; Path=/; Secure; HttpOnly", "session=private; Path=/; Secure", "oai-did=me; Path=/"],
        ["__cflb=central; Path=/; Secure; HttpOnly", "__cflbx=near; Path=/"],
      ];
      await using stage = await startStage((count) => ({ cookies: cookies[count - 1] ?? [] }));

      await stage.request({ url: PLUGIN_SERVICE, streamResponse: streamed[0] });
      await stage.request({ url: PLUGIN_SERVICE, streamResponse: streamed[1] });
      await stage.request({ url: PLUGIN_SERVICE, streamResponse: streamed[2] });
      const strangers = [
        "https://example.com/backend-api/ps/mcp",
        "https://api.openai.com/",
        "https://foo.chat.openai.com/",
        "https://evilchatgpt.com/",
        "https://chatgpt.com.evil.example/",
        "https://chatgpt.com./",
        "http://chatgpt.com/backend-api/ps/mcp",
      ];
      for (const url of strangers) await stage.request({ url, streamResponse: streamed[3] });
      await stage.request({ url: "https://eu.chatgpt.com/", streamResponse: streamed[3] });
      await stage.request({ url: "https://CHATGPT.com:443/", streamResponse: streamed[3] });

      expect(stage.arrived()).toEqual([
        [PLUGIN_SERVICE, undefined],
        [PLUGIN_SERVICE, "__cflb=west"],
        [PLUGIN_SERVICE, "__cflb=central"],
        ...strangers.map((url) => [url, undefined]),
        // Host-only: a subdomain is an allowed host, but not the one that set it.
        ["https://eu.chatgpt.com/", undefined],
        ["https://chatgpt.com/", "__cflb=central"],
      ]);
    },
  );

  it(
    "is asked anew on every hop of a redirect, each for its own host",
    proves("exec-server/affinity-contract"),
    async () => {
      const hops = [
        { status: 302, location: "/second", cookies: ["__cflb=west; Path=/"] },
        { status: 307, location: "https://evilchatgpt.com/x", cookies: ["__cflb=central; Path=/", "s=1"] },
        { status: 302, location: "https://chatgpt.com/end", cookies: ["__cflb=evil; Path=/"] },
      ];
      await using stage = await startStage((count) => hops[count - 1] ?? {});

      await stage.request({ url: "https://chatgpt.com/start", method: "GET", redirectPolicy: "follow" });

      expect(stage.arrived()).toEqual([
        ["https://chatgpt.com/start", undefined],
        ["https://chatgpt.com/second", "__cflb=west"],
        ["https://evilchatgpt.com/x", undefined],
        ["https://chatgpt.com/end", "__cflb=central"],
      ]);
    },
  );

  it(
    "is learned from a redirect that is handed back, and gives way to the caller's own cookies",
    proves("exec-server/affinity-contract"),
    async () => {
      const hops = [{ status: 302, location: "/second", cookies: ["__cflb=west; Path=/"] }, { status: 503 }];
      await using stage = await startStage((count) => hops[count - 1] ?? {});
      const url = PLUGIN_SERVICE;

      await stage.request({ url, redirectPolicy: "stop" });
      await stage.request({ url, redirectPolicy: "stop" });
      await stage.request({ url, headers: [{ name: "Cookie", value: "own=1" }] });
      await stage.request({ url });

      expect(stage.arrived().map(([, cookie]) => cookie)).toEqual([
        undefined,
        "__cflb=west",
        "own=1",
        "__cflb=west",
      ]);
    },
  );
});
