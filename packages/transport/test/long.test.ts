import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createDispatcher, createUndiciTransport, type HttpRequest, Operation } from "../src/index.ts";
import { failure } from "./support/failure.ts";

const COUNT = process.env["HAWSER_TEST_LONG"] === "1" ? 10_000 : 200;
const CONCURRENCY = 16;
/** What the engine's own caches and the shape of a heap may differ by. */
const SLACK_BYTES = 2 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

let server: Server;
let url: URL;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    if (request.url === "/endless") {
      response.write("x".repeat(20_000));
      const pulse = setInterval(() => response.write("x"), 10);
      response.on("close", () => clearInterval(pulse));
    } else {
      response.end("whole");
    }
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

/** Runs `work` often enough to warm up, then `COUNT` times, and says what is there before and after. */
async function leavingNothing(work: (index: number) => Promise<void>, settle: () => Promise<void>) {
  const rounds = async (count: number) => {
    let next = 0;
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        while (next < count) {
          next += 1;
          await work(next);
        }
      }),
    );
    await settle();
  };
  await rounds(Math.min(300, COUNT));
  const before = await standing();
  await rounds(COUNT);
  const after = await standing();
  return {
    heapGrowth: after.heap - before.heap,
    socketGrowth: after.sockets - before.sockets,
    timers: after.timers - before.timers,
  };
}

async function standing() {
  // Finalizers run on a later turn than the collection that found their objects.
  for (let turn = 0; turn < 4; turn += 1) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const resources = process.getActiveResourcesInfo();
  return {
    heap: process.memoryUsage().heapUsed,
    sockets: resources.filter((kind) => kind === "TCPSocketWrap").length,
    timers: resources.filter((kind) => kind === "Timeout").length,
  };
}

const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url: new URL(path, url),
  headers: [["x-a", "1"]],
  body: { json: { a: 1 } },
  operation: Operation.start({ label: "long", timeoutMs: 60_000 }),
  ...more,
});

describe(`${COUNT} times`, () => {
  it("requests leave sockets, timers and heap where they were", {
    ...proves("transport/body-released"),
    timeout: 120_000,
  }, async () => {
    const dispatcher = createDispatcher({ connections: CONCURRENCY, keepAliveTimeoutMs: 60_000 });
    const transport = createUndiciTransport({ dispatcher });

    const left = await leavingNothing(
      async () => {
        expect(await (await transport.send(request("/whole"))).text()).toBe("whole");
      },
      async () => {},
    );
    await dispatcher.destroy();
    await vi.waitFor(() => expect(sockets.size).toBe(0));

    expect(left.socketGrowth).toBeLessThanOrEqual(0);
    expect(left.timers).toBeLessThanOrEqual(0);
    expect(left.heapGrowth).toBeLessThan(SLACK_BYTES);
  });

  it("streams that are left leave sockets, timers and heap where they were", {
    ...proves("transport/body-released", "transport/abort"),
    timeout: 240_000,
  }, async () => {
    await using transport = createUndiciTransport();
    const ways: ((index: number) => Promise<void>)[] = [
      async () => {
        const caller = new AbortController();
        const response = await transport.send(request("/endless", { signal: caller.signal }));
        const reading = failure(response.bytes());
        caller.abort();
        expect((await reading).code).toBe("ERR_TRANSPORT_ABORTED");
      },
      async () => {
        const response = await transport.send(request("/endless"));
        for await (const piece of response.body) {
          expect(piece.byteLength).toBeGreaterThan(0);
          break;
        }
      },
      async () => (await transport.send(request("/endless"))).cancel(),
      async () => {
        const response = await transport.send(request("/endless", { limits: { maxResponseBytes: 10_000 } }));
        expect((await failure(response.bytes())).code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
      },
    ];

    const left = await leavingNothing(
      async (index) => ways[index % ways.length]?.(index),
      () => vi.waitFor(() => expect(sockets.size).toBe(0), { timeout: 10_000 }),
    );

    expect(left.socketGrowth).toBeLessThanOrEqual(0);
    expect(left.timers).toBeLessThanOrEqual(0);
    expect(left.heapGrowth).toBeLessThan(SLACK_BYTES);
  });
});
