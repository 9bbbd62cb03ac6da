import { type InterceptingProxy, proves, startInterceptingProxy } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, type HttpTransport, toFetch } from "@hawser/transport";
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

  it(
    "holds between four living clients of one process, whatever they are made of",
    proves(
      "cf-affinity-jar/returns",
      "cf-affinity-jar/names",
      "cf-affinity-jar/hosts",
      "cf-affinity-jar/interceptor",
    ),
    async () => {
      const jar = createAffinityJar();
      const dispatchers = Array.from({ length: 4 }, () =>
        createDispatcher({ env: { HTTPS_PROXY: proxy.url.href }, ca: proxy.caPem }),
      );
      const [first, second, third, fourth] = dispatchers.map((dispatcher) => ({
        wrapped: withAffinityCookies(jar)(createUndiciTransport({ dispatcher })),
        intercepted: dispatcher.compose(affinityInterceptor(jar)),
      }));
      if (!first || !second || !third || !fourth) throw new Error("no clients");
      const clients: readonly ((url: string) => Promise<unknown>)[] = [
        async (url) => (await first.wrapped.send(request(url))).bytes(),
        async (url) => {
          const { origin, pathname } = new URL(url);
          return (await second.intercepted.request({ origin, path: pathname, method: "GET" })).body.dump();
        },
        async (url) => (await toFetch(third.wrapped)(url)).text(),
        async (url) => {
          const transport = createUndiciTransport({ dispatcher: fourth.intercepted });
          return (await transport.send(request(url))).bytes();
        },
      ];
      const seenBy = async (client: number, url: string) => {
        await clients[client]?.(url);
        return proxy.seen.at(-1)?.headers["cookie"];
      };
      const elsewhere = "https://example.com/backend-api/ps/mcp";

      // Each learns from each: the first two answers set something, all later ones nothing.
      expect(await seenBy(0, pluginService)).toBeUndefined();
      expect(await seenBy(1, pluginService)).toBe("__cflb=west");
      for (const client of [2, 3, 0, 1]) expect(await seenBy(client, pluginService)).toBe("__cflb=central");
      for (const client of [0, 1, 2, 3]) expect(await seenBy(client, elsewhere)).toBeUndefined();

      // And what the fourth learns while the others are under way is everybody's from then on.
      answers = [["__cflb=east; Path=/"]];
      expect(await seenBy(3, pluginService)).toBe("__cflb=central");
      const before = proxy.seen.length;
      await Promise.all(Array.from({ length: 40 }, (_, index) => clients[index % 4]?.(pluginService)));
      expect(new Set(proxy.seen.slice(before).map(({ headers }) => headers["cookie"]))).toEqual(
        new Set(["__cflb=east"]),
      );
      for (const dispatcher of dispatchers) await dispatcher.close();
    },
  );
});
