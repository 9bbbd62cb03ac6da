import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as Socket, WebSocketServer } from "ws";
import { type MessageChannel, webSocketChannel } from "../src/index.ts";

let listener: WebSocketServer;
let url: string;
beforeAll(async () => {
  listener = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    perMessageDeflate: false,
    maxPayload: 1_000_000,
  });
  await once(listener, "listening");
  url = `ws://127.0.0.1:${(listener.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const socket of listener.clients) socket.terminate();
  listener.close();
});

type Options = Parameters<typeof webSocketChannel>[1];

async function pair(
  options: Options = {},
): Promise<{ server: MessageChannel; client: Socket; socket: Socket }> {
  const accepted = once(listener, "connection");
  const client = new Socket(url);
  client.on("error", () => {});
  const [socket] = (await accepted) as [Socket];
  const server = webSocketChannel(socket, options);
  await once(client, "open");
  return { server, client, socket };
}

async function take(channel: MessageChannel, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const text of channel.messages) {
    taken.push(text);
    if (taken.length === count) break;
  }
  return taken;
}

describe(webSocketChannel, () => {
  it("carries text both ways, and binary as text unless told not to", async () => {
    const { server, client } = await pair();
    client.send("caf\u00e9");
    client.send(Buffer.from("{}"));
    expect(await take(server, 2)).toEqual(["caf\u00e9", "{}"]);
    const strict = await pair({ binary: "ignore" });
    strict.client.send(Buffer.from("binary"));
    strict.client.send("text");
    expect(await take(strict.server, 1)).toEqual(["text"]);
    const heard = once(strict.client, "message");
    await strict.server.send("back");
    expect(String((await heard)[0])).toBe("back");
  });

  it(
    "stops a peer that sends faster than it is read, and loses nothing",
    proves("json-rpc/backpressure"),
    async () => {
      const { server, client, socket } = await pair({ maxUnreadBytes: 10_000 });
      for (let index = 0; index < 2_000; index++) client.send(`${index}:${"x".repeat(1_000)}`);
      while (!socket.isPaused) await new Promise(setImmediate);
      const seen = await take(server, 2_000);
      expect(seen.map((text) => Number(text.split(":")[0]))).toEqual(seen.map((_, index) => index));
    },
  );

  it("makes its own sender wait for a peer that does not read", proves("json-rpc/backpressure"), async () => {
    const { server, client } = await pair({ maxQueuedBytes: 100_000 });
    client.pause();
    const piece = "y".repeat(50_000);
    let sent = 0;
    let isWaiting = false;
    const sending = (async () => {
      for (; sent < 1_000; sent++) {
        const room = server.send(piece);
        isWaiting = server.queuedBytes > 100_000;
        await room;
      }
    })();
    while (!isWaiting) await new Promise(setImmediate);
    expect(sent).toBeLessThan(1_000);
    let received = 0;
    client.on("message", () => {
      received += 1;
    });
    client.resume();
    await sending;
    await server.close();
    expect(received).toBe(1_000);
  });

  it(
    "flushes, then closes with the code and a reason that fits",
    proves("json-rpc/clean-close"),
    async () => {
      const { server, client } = await pair();
      const heard: string[] = [];
      client.on("message", (data) => heard.push(String(data)));
      const closed = once(client, "close");
      void server.send("last words");
      await server.close(1001, `going: ${"\u00e9".repeat(100)}`);
      const [code, reason] = await closed;
      expect([heard, code]).toEqual([["last words"], 1001]);
      expect(String(reason)).toMatch(/^going: \u00e9{58}$/);
      expect(await server.closed).toMatchObject({ code: 1001 });
      await expect(server.send("too late")).rejects.toMatchObject({ code: "ERR_JSON_RPC_CLOSED" });
    },
  );

  it(
    "does not wait for ever for a peer that does not answer the close",
    proves("json-rpc/clean-close"),
    async () => {
      const { server, client } = await pair({ closeTimeoutMs: 50 });
      client.pause();
      await server.close(1000);
      client.terminate();
    },
  );

  it("ends when the peer goes, with its code", async () => {
    const { server, client } = await pair();
    client.send("before");
    client.close(4001, "bye");
    expect(await server.closed).toEqual({ code: 4001, reason: "bye" });
    expect(await take(server, 5)).toEqual(["before"]);
    const cut = await pair();
    cut.client.terminate();
    expect(await cut.server.closed).toMatchObject({ code: 1006 });
  });

  it("works over a standard client as well", async () => {
    const accepted = once(listener, "connection");
    const standard = new WebSocket(url);
    const [socket] = (await accepted) as [Socket];
    const server = webSocketChannel(socket);
    await new Promise((resolve) => standard.addEventListener("open", resolve));
    const client = webSocketChannel(standard, { maxQueuedBytes: 1_000 });
    const texts = Array.from({ length: 50 }, (_, index) => `${index}${"z".repeat(10_000)}`);
    const taken = take(server, 50);
    for (const text of texts) await client.send(text);
    expect(await taken).toEqual(texts);
    await server.send("answer");
    expect(await take(client, 1)).toEqual(["answer"]);
    await client.close(1000, "done");
    expect(await server.closed).toEqual({ code: 1000, reason: "done" });
  });
});
