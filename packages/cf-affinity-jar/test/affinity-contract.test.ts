import { type InterceptingProxy, proves, startInterceptingProxy } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, type HttpTransport } from "@hawser/transport";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { affinityInterceptor, createAffinityJar, withAffinityCookies } from "../src/index.ts";
import { request } from "./scripted-origin.ts";

const pluginService = "https://chatgpt.com/backend-api/ps/mcp";

let proxy: InterceptingProxy;
let answers: string[][] = [];

beforeAll(async () => {
  proxy = await startInterceptingProxy({
    handler: ({ url }) => ({
      headers: { "set-cookie": url.pathname.endsWith("/mcp") ? (answers.shift() ?? []) : [] },
    }),
  });
});
afterAll(() => proxy.close());

beforeEach(() => {
  answers = [
    ["__cflb=west; Path=/; Secure; HttpOnly", "session=private; Path=/"],
    ["__cflb=central; Path=/"],
  ];
});

/** Sends through a client of its own, and returns what the other side got as cookies since the last call. */
async function sendAll(
  clients: readonly (() => { transport: HttpTransport; close(): Promise<void> })[],
  urls: string[],
) {
  const before = proxy.seen.length;
  for (const [index, url] of urls.entries()) {
    const client = clients[index % clients.length]?.();
    if (client === undefined) throw new Error("no client");
    await (await client.transport.send(request(url))).bytes();
    await client.close();
  }
  return proxy.seen.slice(before).map(({ url, headers }) => [url.host, headers["cookie"]]);
}

const urls = [pluginService, pluginService, pluginService, "https://example.com/backend-api/ps"];
const contract = [
  ["chatgpt.com", undefined],
  ["chatgpt.com", "__cflb=west"],
  ["chatgpt.com", "__cflb=central"],
  ["example.com", undefined],
];

describe("the affinity contract on the wire", () => {
  it(
    "holds for four independent clients that share one jar",
    proves("cf-affinity-jar/returns", "cf-affinity-jar/names", "cf-affinity-jar/hosts"),
    async () => {
      const jar = createAffinityJar();
      const freshClient = () => {
        const dispatcher = createDispatcher({ env: { HTTPS_PROXY: proxy.url.href }, ca: proxy.caPem });
        return {
          transport: withAffinityCookies(jar)(createUndiciTransport({ dispatcher })),
          close: () => dispatcher.close(),
        };
      };
      expect(await sendAll([freshClient], urls)).toEqual(contract);
    },
  );

  it(
    "holds for bare undici dispatchers with the interceptor",
    proves("cf-affinity-jar/interceptor"),
    async () => {
      const jar = createAffinityJar();
      const freshClient = () => {
        const dispatcher = createDispatcher({ env: { HTTPS_PROXY: proxy.url.href }, ca: proxy.caPem });
        return {
          transport: createUndiciTransport({ dispatcher: dispatcher.compose(affinityInterceptor(jar)) }),
          close: () => dispatcher.close(),
        };
      };
      expect(await sendAll([freshClient], urls)).toEqual(contract);
    },
  );
});
