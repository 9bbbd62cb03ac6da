import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { proves } from "@hawser/test-kit";
import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDispatcher, type DispatcherOptions } from "../src/index.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";
import { startSocksProxy } from "./support/socks-proxy.ts";

let port: number;
let opened = 0;
let close: () => void;

beforeAll(async () => {
  // As much of RFC 6455 as opening takes.
  const server = createServer().on("upgrade", (request, socket) => {
    opened += 1;
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.on("error", () => {});
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  close = () => server.close();
});
afterAll(() => close());

/** Whether a WebSocket opens over a dispatcher with these options. */
const opens = async (options: DispatcherOptions): Promise<boolean> => {
  const dispatcher = createDispatcher(options);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { dispatcher });
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.addEventListener("open", () => resolve(true));
    socket.addEventListener("error", () => resolve(false));
  });
  await dispatcher.destroy();
  return isOpen;
};

describe("a WebSocket of undici over the dispatcher", () => {
  it(
    "opens directly, through a tunnel and through SOCKS",
    proves("transport/proxy", "transport/socks"),
    async () => {
      await using http = await startForwardProxy();
      await using socks = await startSocksProxy();
      const before = opened;

      expect(await opens({})).toBe(true);
      expect(
        await opens({ env: { HTTPS_PROXY: http.url.href, HTTP_PROXY: http.url.href }, proxyLoopback: true }),
      ).toBe(true);
      expect(
        await opens({ env: { ALL_PROXY: `socks5://127.0.0.1:${socks.port}` }, proxyLoopback: true }),
      ).toBe(true);

      expect([opened - before, socks.seen.length, http.seen.length]).toEqual([3, 1, 1]);
    },
  );

  it("is judged by the egress policy, also behind a proxy", proves("transport/egress"), async () => {
    await using proxy = await startForwardProxy();
    const before = opened;
    const egress = { reach: "public" } as const;

    expect(await opens({ egress })).toBe(false);
    expect(await opens({ egress, env: { ALL_PROXY: proxy.url.href }, proxyLoopback: true })).toBe(false);
    expect(await opens({ egress: { reach: "public", except: [`127.0.0.1:${port}`] } })).toBe(true);

    expect([opened - before, proxy.seen.length]).toEqual([1, 0]);
  });
});
