import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isRetrySseError, sseStream, streamWithRetry } from "../src/index.ts";
import { reachableBytes } from "./heap.ts";

const long = process.env["HAWSER_TEST_LONG"] === "1";
const streams = long ? 10_000 : 200;
const CONCURRENT = 20;

// Not the scripted server of the test kit: it remembers every request, and memory is what is measured here.
let server: Server;
let url: string;
/** Answers that still run, and connections, idle ones of the client's pool included. */
let answering = 0;
let connected = 0;

beforeAll(async () => {
  server = createServer((_, response) => {
    answering += 1;
    response.on("close", () => {
      answering -= 1;
    });
    response.writeHead(200, { "content-type": "text/event-stream" });
    // Never ends: every connection is the client's to give up.
    response.write("id: 1\ndata: 1\n\nid: 2\ndata: last\n\n: more\n");
  });
  server.on("connection", (socket) => {
    connected += 1;
    socket.on("error", () => {});
    socket.on("close", () => {
      connected -= 1;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function connect(signal?: AbortSignal, options: Parameters<typeof sseStream>[1] = {}) {
  const { body, headers } = await fetch(url, signal === undefined ? {} : { signal });
  if (body === null) throw new Error("no body");
  return sseStream(body, { ...options, signal, contentType: headers.get("content-type") });
}

/** Not `expect().rejects`: it keeps every promise until the test is over. */
async function failed(work: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isRetrySseError(error) || error.code !== code) throw new Error(`not ${code}`, { cause: error });
}

/** Every way to give a stream up. */
const ways: readonly (() => Promise<void>)[] = [
  async function beforeReading() {
    await (await connect()).return();
  },
  async function leavingALoop() {
    for await (const _ of await connect()) break;
  },
  async function duringARead() {
    const stream = await connect();
    await stream.next();
    await stream.next();
    const waiting = stream.next();
    await stream.return();
    await waiting;
  },
  async function bySignal() {
    const abort = new AbortController();
    const stream = await connect(abort.signal);
    await stream.next();
    await stream.next();
    const waiting = stream.next();
    abort.abort();
    await failed(waiting, "ERR_RETRY_SSE_ABORTED");
  },
  async function bySilence() {
    const stream = await connect(undefined, { idleTimeoutMs: 20 });
    await stream.next();
    await stream.next();
    await failed(stream.next(), "ERR_RETRY_SSE_IDLE_TIMEOUT");
  },
  async function byItsLastEvent() {
    const isTerminal = ({ data }: { data: string }) => data === "last";
    for await (const _ of await connect(undefined, { isTerminal, endWaitMs: 5 }));
  },
  async function withRetries() {
    const events = streamWithRetry({}, ({ signal }) => connect(signal));
    for await (const { data } of events) if (data === "last") break;
  },
];

async function giveUp(count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await ways[next++ % ways.length]?.();
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

describe("streams that are given up", () => {
  it(`leave no socket, no timer and no memory behind: ${streams} of them`, {
    ...proves("retry-sse/leaves-nothing", "retry-sse/cancel"),
    timeout: 600_000,
  }, async () => {
    await giveUp(streams / 5);
    await expect.poll(() => answering).toBe(0);
    const timers = countTimers();
    const before = await reachableBytes();

    await giveUp(streams);
    await expect.poll(() => answering).toBe(0);
    // A cut connection makes the client's pool open another, which stays idle: as many as ran at a time, not as ran.
    expect(connected).toBeLessThanOrEqual(3 * CONCURRENT);
    expect(countTimers()).toBeLessThanOrEqual(timers);
    expect((await reachableBytes()) - before).toBeLessThan(4 * 1024 * 1024);
  });
});

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}
