import { once } from "node:events";
import { proves, type ScriptedHandler, type ScriptedServer, startScriptedServer } from "@hawser/test-kit";
import { afterEach, describe, expect, it } from "vitest";
import { runWithRetry, type SseStreamOptions, sseStream, streamWithRetry } from "../src/index.ts";
import { collect, pieces } from "./bytes.ts";

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

async function serve(handler: ScriptedHandler): Promise<ScriptedServer> {
  server = await startScriptedServer({ handler });
  return server;
}

async function open(url: URL, options: SseStreamOptions = {}, init: RequestInit = {}) {
  const { body } = await fetch(url, init);
  if (body === null) throw new Error("no body");
  return sseStream(body, options);
}

/** The same bytes, and word of their end. */
async function* untilEnd(bytes: AsyncIterable<Uint8Array>, onEnd: () => void): AsyncGenerator<Uint8Array> {
  yield* bytes;
  onEnd();
}

describe("event streams over sockets", () => {
  it(
    "closes the connection at once when a stream is left during a read",
    proves("retry-sse/cancel"),
    async () => {
      let gone: Promise<unknown> | undefined;
      const { url } = await serve((_, exchange) => {
        gone = once(exchange.gone, "abort");
        exchange.response.writeHead(200, { "content-type": "text/event-stream" });
        exchange.response.write("data: 1\n\n");
      });
      const stream = await open(url);
      expect(await stream.next()).toMatchObject({ value: { data: "1" } });
      const waiting = stream.next();
      await stream.return();
      expect(await waiting).toMatchObject({ done: true });
      await gone;
    },
  );

  it(
    "closes the connection with the last event, which the server keeps open",
    proves("retry-sse/terminal"),
    async () => {
      let gone: Promise<unknown> | undefined;
      const { url } = await serve((_, exchange) => {
        gone = once(exchange.gone, "abort");
        exchange.response.writeHead(200);
        exchange.response.write('data: {"type":"delta"}\n\ndata: {"type":"completed"}\n\n');
      });
      const events = await collect(await open(url, { isTerminal: ({ data }) => data.includes("completed") }));
      expect(events).toHaveLength(2);
      await gone;
    },
  );

  it(
    "uses a connection again whose body ends after the last event",
    proves("retry-sse/end-wait"),
    async () => {
      const { url, waitFor } = await serve((_, { response }) => {
        response.writeHead(200);
        response.write("data: last\n\n", () => setImmediate(() => response.end()));
      });
      for (let count = 1; count <= 5; count++) {
        const ended = Promise.withResolvers<void>();
        const { body } = await fetch(url);
        const bytes = untilEnd(body ?? pieces(), ended.resolve);
        expect(await collect(sseStream(bytes, { isTerminal: () => true, endWaitMs: 10_000 }))).toHaveLength(
          1,
        );
        await ended.promise;
        await waitFor(count);
      }
      // Two, because the pool hears of the end a moment after the reader does.
      expect(server?.connections).toBeLessThanOrEqual(2);
    },
  );

  it("says what came instead of an event stream", proves("retry-sse/content-type"), async () => {
    const { url } = await serve(() => ({
      headers: { "content-type": "text/html" },
      body: "<h1>Sign in</h1>",
    }));
    const { body, headers } = await fetch(url);
    const stream = sseStream(body ?? pieces(), { contentType: headers.get("content-type") });
    await expect(stream.next()).rejects.toMatchObject({
      code: "ERR_RETRY_SSE_CONTENT_TYPE",
      contentType: "text/html",
      beginning: "<h1>Sign in</h1>",
    });
  });

  it(
    "repeats a fetch as well as anything that sends",
    proves("retry-sse/retry-after", "retry-sse/discarded"),
    async () => {
      const { url } = await serve((_, { count }) => {
        const headers = { "retry-after-ms": "5" };
        return count < 3 ? { status: 503, headers, body: "busy" } : { body: "ready" };
      });
      const response = await runWithRetry(
        { minDelayMs: 1 },
        ({ signal }) => fetch(url, { signal: signal ?? null }),
        {
          faultOf: ({ status, headers }) =>
            status < 400 ? undefined : { kind: "status", status, headers: [...headers] },
          discard: ({ body }) => body?.cancel(),
        },
      );
      expect([await response.text(), server?.seen.length]).toEqual(["ready", 3]);
    },
  );

  it("tells a reset in the middle from an early end", proves("retry-sse/ended-early"), async () => {
    const { url } = await serve(({ path }, { response, socket }) => {
      response.writeHead(200);
      response.write("data: 1\n\n", () => (path === "/reset" ? socket.destroy() : response.end()));
    });
    const isTerminal = () => false;
    await expect(collect(await open(new URL("/end", url), { isTerminal }))).rejects.toMatchObject({
      code: "ERR_RETRY_SSE_ENDED_EARLY",
    });
    await expect(collect(await open(new URL("/reset", url), { isTerminal }))).rejects.toThrow("terminated");
  });

  it(
    "hears a server that only sends keep-alives, and gives up for want of an event",
    proves("retry-sse/two-silences"),
    async () => {
      const { url } = await serve((_, { response, gone }) => {
        response.writeHead(200);
        response.flushHeaders();
        const timer = setInterval(() => response.write(": keep-alive\n\n"), 10);
        gone.addEventListener("abort", () => clearInterval(timer));
      });
      const comments: string[] = [];
      const stream = await open(url, {
        idleTimeoutMs: 5000,
        progressTimeoutMs: 300,
        onComment: (comment) => comments.push(comment),
      });
      await expect(stream.next()).rejects.toMatchObject({ code: "ERR_RETRY_SSE_PROGRESS_TIMEOUT" });
      expect(comments.length).toBeGreaterThan(0);
    },
  );

  it("gives up a silent server", proves("retry-sse/two-silences"), async () => {
    const { url } = await serve((_, { response }) => {
      response.writeHead(200);
      response.flushHeaders();
    });
    const stream = await open(url, { idleTimeoutMs: 50 });
    await expect(stream.next()).rejects.toMatchObject({ code: "ERR_RETRY_SSE_IDLE_TIMEOUT" });
  });

  it("slows a fast server down to its consumer", proves("retry-sse/slow-consumer"), async () => {
    const event = `data: ${"x".repeat(64 * 1024)}\n\n`;
    let written = 0;
    const stalled = Promise.withResolvers<void>();
    const { url } = await serve(async (_, { response, gone }) => {
      response.writeHead(200);
      while (!gone.aborted) {
        written += 1;
        if (response.write(event)) continue;
        const drained = once(response, "drain", { signal: gone }).then(() => "drained");
        const pause = new Promise((resolve) => setTimeout(resolve, 200, "stalled"));
        // Nothing is read from the other end any more: all buffers between are full.
        if ((await Promise.race([drained, pause]).catch(() => "gone")) === "stalled") {
          stalled.resolve();
          await drained.catch(() => {});
        }
      }
    });
    const stream = await open(url);
    await stream.next();
    await stalled.promise;
    expect(written).toBeLessThan(1000);
    expect(await stream.next()).toMatchObject({ done: false });
    await stream.return();
  });

  it("resumes after a cut with the id of the last event", proves("retry-sse/resume"), async () => {
    let cut = () => {};
    const { url, seen } = await serve(({ headers }, { response, socket }) => {
      const from = Number(headers["last-event-id"] ?? 0);
      cut = () => socket.destroy();
      response.writeHead(200);
      response.write([1, 2].map((step) => `id: ${from + step}\ndata: ${from + step}\n\n`).join(""));
      if (from === 4) response.end();
    });
    const events = streamWithRetry(
      { baseDelayMs: 1, minDelayMs: 1, shouldRetry: () => true },
      ({ lastEventId, signal }) =>
        open(
          url,
          { signal },
          { signal, headers: lastEventId === "" ? {} : { "last-event-id": lastEventId } },
        ),
      { afterFirstEvent: "resume" },
    );
    const data: string[] = [];
    for await (const event of events) {
      data.push(event.data);
      if (event.data === "2" || event.data === "4") cut();
    }
    expect(data).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(seen.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "4"]);
  });
});
