import { Readable } from "node:stream";
import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collect, HandFedSource, pieces, utf8 } from "../test/bytes.ts";
import { sseStream } from "./sse-stream.ts";

function message(data: string, id = "") {
  return { event: "message", data, id };
}

/** Everything already settled has been seen by whoever waits for it. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe(sseStream, () => {
  it.each([
    ["one event", "data: a\n\n", [message("a")]],
    ["no space after the colon", "data:a\n\n", [message("a")]],
    ["only the first space", "data:  a\n\n", [message(" a")]],
    ["a named event", "event: end\ndata: a\n\n", [{ event: "end", data: "a", id: "" }]],
    ["an empty name", "event:\ndata: a\n\n", [message("a")]],
    ["many data lines", "data: a\ndata:\ndata: b\n\n", [message("a\n\nb")]],
    ["data without a value", "data\n\ndata:\n\n", [message(""), message("")]],
    ["no data, no event", "event: end\n\ndata: a\n\n", [message("a")]],
    ["CRLF", "data: a\r\ndata: b\r\n\r\n", [message("a\nb")]],
    ["CR", "data: a\rdata: b\r\r", [message("a\nb")]],
    ["CR at the very end", "data: a\n\r", [message("a")]],
    ["one byte order mark", "\uFEFFdata: a\n\n", [message("a")]],
    ["a second byte order mark is text", "\uFEFF\uFEFFdata: a\n\ndata: b\n\n", [message("b")]],
    ["comments and unknown fields", ": hi\nfoo: bar\ndata: a\n\n", [message("a")]],
    [
      "ids that stay",
      "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
      [message("a", "1"), message("b", "1"), message("c")],
    ],
    ["an id of its own", "id: 9\n\ndata: a\n\n", [message("a", "9")]],
    [
      "an id with NUL is none",
      "id: 1\ndata: a\n\nid: \0\ndata: b\n\n",
      [message("a", "1"), message("b", "1")],
    ],
    ["an unfinished event is dropped", "data: a\n\ndata: b\n", [message("a")]],
    ["nothing", "", []],
  ])("reads %s", proves("retry-sse/standard-events"), async (_, text, expected) => {
    expect(await collect(sseStream(pieces(text)))).toEqual(expected);
    const bytewise = [...utf8(text)].map((byte) => Uint8Array.of(byte));
    expect(await collect(sseStream(pieces(...bytewise)))).toEqual(expected);
  });

  it("gives the same events in any chunking", proves("retry-sse/any-chunking"), async () => {
    const line = fc.oneof(
      fc.constantFrom(
        "",
        "",
        "data",
        "data:",
        ": comment",
        "id: 1",
        "id:",
        "event: e",
        "retry: 10",
        "\uFEFFdata: x",
      ),
      fc.string({ unit: "grapheme" }).map((text) => `data: ${text.replace(/[\r\n]/g, "")}`),
      fc.string({ unit: "binary" }),
    );
    const end = fc.constantFrom("\n", "\r", "\r\n");
    const text = fc
      .tuple(fc.constantFrom("", "\uFEFF"), fc.array(fc.tuple(line, end), { maxLength: 20 }))
      .map(([mark, lines]) => mark + lines.flat().join(""));
    // Also bytes that are no UTF-8 at all.
    const bytes = fc.oneof(text.map(utf8), fc.uint8Array({ maxLength: 80 }));
    const cuts = fc.array(fc.nat(), { maxLength: 12 });

    await fc.assert(
      fc.asyncProperty(bytes, cuts, async (whole, cutAt) => {
        const at = [0, ...cutAt.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
        const parts = at.slice(1).map((to, index) => whole.subarray(at[index], to));
        const once = sseStream(pieces(whole));
        const split = sseStream(pieces(...parts));
        expect(await collect(split)).toEqual(await collect(once));
        expect(split.lastEventId).toBe(once.lastEventId);
      }),
      { numRuns: 3000 },
    );
  });

  it(
    "tells comments, and the reconnect delay up to an hour",
    proves("retry-sse/standard-events"),
    async () => {
      const heard: unknown[] = [];
      const text = ": keep-alive\nretry: 1500\nretry: 999999999999\nretry: soon\n\n";
      await collect(
        sseStream(pieces(text), {
          onComment: (comment) => heard.push(comment),
          onRetry: (delayMs) => heard.push(delayMs),
        }),
      );
      expect(heard).toEqual(["keep-alive", 1500, 3_600_000]);
    },
  );

  it("reads a large chunk, a web stream and a Node stream alike", async () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `data: ${index}\n\n`).join("");
    const stream = (): ReadableStream<Uint8Array> => new Blob([text]).stream() as ReadableStream<Uint8Array>;
    for (const bytes of [pieces(text), stream(), Readable.from([utf8(text)])]) {
      const events = await collect(sseStream(bytes));
      expect([events.length, events.at(-1)?.data]).toEqual([20_000, "19999"]);
    }
  });

  it("takes no bytes before and between reads", proves("retry-sse/slow-consumer"), async () => {
    const source = new HandFedSource();
    const stream = sseStream(source);
    await settled();
    expect(source.reads).toBe(0);

    const first = stream.next();
    source.give("data: 1\n\ndata: 2\n\n");
    expect(await first).toEqual({ done: false, value: message("1") });
    await settled();
    expect(await stream.next()).toEqual({ done: false, value: message("2") });
    expect(source.reads).toBe(1);
  });

  it("serves reads that overlap in their order", async () => {
    const source = new HandFedSource();
    const stream = sseStream(source);
    const reads = [stream.next(), stream.next(), stream.next()];
    source.give("data: 1\n\ndata: 2\n\n");
    await settled();
    source.end();
    expect(await Promise.all(reads)).toEqual([
      { done: false, value: message("1") },
      { done: false, value: message("2") },
      { done: true, value: undefined },
    ]);
    expect(source.reads).toBe(2);
  });

  it("passes the failure of its source unchanged, once, after what came before", async () => {
    const failure = new Error("reset");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield utf8("data: 1\n\n");
      throw failure;
    }
    const stream = sseStream(failing());
    expect(await stream.next()).toMatchObject({ value: { data: "1" } });
    await expect(stream.next()).rejects.toBe(failure);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it(
    "ends with the declared last event, whatever the socket does",
    proves("retry-sse/terminal"),
    async () => {
      const source = new HandFedSource();
      const stream = sseStream(source, { isTerminal: ({ event }) => event === "done" });
      const all = collect(stream);
      await settled();
      source.give("data: 1\n\nevent: done\ndata: 2\n\ndata: 3\n\n");
      expect((await all).map(({ data }) => data)).toEqual(["1", "2"]);
      await source.released;
      expect([source.returned, source.reads]).toEqual([1, 2]);
    },
  );

  it(
    "frees the source with the last event when nothing is to be waited for",
    proves("retry-sse/terminal"),
    async () => {
      const source = new HandFedSource();
      const released = vi.fn();
      const options = { isTerminal: () => true, endWaitMs: 0, release: released };
      const first = sseStream(source, options).next();
      source.give("data: 1\n\n");
      expect(await first).toMatchObject({ done: false });
      expect([source.returned, source.reads, released.mock.calls.length]).toEqual([1, 1, 1]);
    },
  );

  describe("the end after the last event", () => {
    const isTerminal = ({ data }: { data: string }) => data === "last";

    /** A stream whose last event has arrived, and what may follow it. */
    async function ended(signal?: AbortSignal) {
      const source = new HandFedSource();
      const release = vi.fn();
      const stream = sseStream(source, { isTerminal, signal, release });
      const events = collect(stream);
      await vi.advanceTimersByTimeAsync(0);
      source.give("data: last\n\n");
      expect(await events).toHaveLength(1);
      return { source, stream, freed: () => [source.returned, release.mock.calls.length] };
    }

    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it(
      "is read for a while, so that the connection can be used again",
      proves("retry-sse/end-wait"),
      async () => {
        const { source, freed } = await ended();
        source.give("data: more\n\n");
        await vi.advanceTimersByTimeAsync(100);
        source.end();
        await vi.runAllTimersAsync();
        expect([freed(), source.reads, vi.getTimerCount()]).toEqual([[0, 0], 3, 0]);
      },
    );

    it("is waited for no longer than that", proves("retry-sse/end-wait"), async () => {
      const { freed } = await ended();
      await vi.advanceTimersByTimeAsync(249);
      expect(freed()).toEqual([0, 0]);
      await vi.advanceTimersByTimeAsync(2);
      expect(freed()).toEqual([1, 1]);
    });

    it("is given up when too much comes instead", proves("retry-sse/end-wait"), async () => {
      const { source, freed } = await ended();
      source.give("x".repeat(60_000));
      await vi.advanceTimersByTimeAsync(1);
      expect(freed()).toEqual([0, 0]);
      source.give("x".repeat(60_000));
      await vi.advanceTimersByTimeAsync(1);
      expect([freed(), source.reads, vi.getTimerCount()]).toEqual([[1, 1], 3, 0]);
    });

    it("is given up when the caller does", proves("retry-sse/end-wait"), async () => {
      const abort = new AbortController();
      const { source, freed } = await ended(abort.signal);
      abort.abort();
      expect(freed()).toEqual([1, 1]);
      source.fail(new Error("reset"));
      await vi.runAllTimersAsync();
      expect([freed(), vi.getTimerCount()]).toEqual([[1, 1], 0]);
    });

    it("concerns nobody when it fails", async () => {
      const { source, stream, freed } = await ended();
      source.fail(new Error("reset"));
      await vi.runAllTimersAsync();
      expect([freed(), vi.getTimerCount()]).toEqual([[0, 0], 0]);
      expect(await stream.next()).toEqual({ done: true, value: undefined });
    });

    it("is still waited for when the loop is left at the last event", async () => {
      const source = new HandFedSource();
      const leaving = (async () => {
        for await (const _ of sseStream(source, { isTerminal })) break;
      })();
      await vi.advanceTimersByTimeAsync(0);
      source.give("data: last\n\n");
      await leaving;
      source.end();
      await vi.runAllTimersAsync();
      expect([source.returned, vi.getTimerCount()]).toEqual([0, 0]);
    });
  });

  describe("content type", () => {
    it.each(["text/event-stream", "text/event-stream; charset=utf-8", " Text/Event-Stream ;x", undefined])(
      "reads the events of %j",
      proves("retry-sse/content-type"),
      async (contentType) => {
        expect(await collect(sseStream(pieces("data: 1\n\n"), { contentType }))).toHaveLength(1);
      },
    );

    it.each([
      ["application/json", '{"error":"x"}', "application/json", '{"error":"x"}'],
      ["text/event-streams", "data: 1\n\n", "text/event-streams", "data: 1"],
      [
        "text/html",
        "<!doctype html>\u202e\u001b[2J\r\n<title>\u2028é",
        "text/html",
        "<!doctype html> [2J <title> é",
      ],
      [null, "data: 1\n\n", undefined, "data: 1"],
      ["", "", undefined, ""],
      ["text/plain", "x".repeat(2000), "text/plain", "x".repeat(512)],
      ["text/html\u001b[31m", "x", "text/html [31m", "x"],
    ])(
      "refuses %j, and shows how it begins",
      proves("retry-sse/content-type"),
      async (contentType, body, type, beginning) => {
        const source = new HandFedSource();
        const waiting = sseStream(source, { contentType }).next();
        if (body === "") source.end();
        else source.give(body);
        const error: unknown = await waiting.catch((reason: unknown) => reason);
        expect(error).toMatchObject({
          code: "ERR_RETRY_SSE_CONTENT_TYPE",
          retry: "never",
          contentType: type,
          beginning,
        });
        expect((error as Error).message.length).toBeLessThan(250);
        expect(source.returned).toBe(body === "" ? 0 : 1);
      },
    );
  });

  describe("rate", () => {
    it.each([
      ["events", "data\n\n"],
      ["comments", ":\n"],
      ["ids", "id\n\n"],
      ["unknown fields", "x\n"],
      ["bad delays", "retry: x\n"],
      ["delays", "retry: 1\n"],
    ])(
      "refuses %s that come too fast, after those before",
      proves("retry-sse/event-rate"),
      async (_, text) => {
        const seen: string[] = [];
        const stream = sseStream(pieces(`data: before\n\n${text.repeat(1000)}`), {
          maxEventsPerSecond: 100,
          onComment: () => {},
          onRetry: () => {},
        });
        const reading = (async () => {
          for await (const { data } of stream) seen.push(data);
        })();
        await expect(reading).rejects.toMatchObject({
          code: "ERR_RETRY_SSE_TOO_MANY_EVENTS",
          retry: "never",
        });
        expect(seen[0]).toBe("before");
        expect(seen.length).toBeLessThanOrEqual(100);
      },
    );

    it(
      "allows as many each second, and never more for a longer pause",
      proves("retry-sse/event-rate"),
      async () => {
        vi.useFakeTimers();
        try {
          const source = new HandFedSource();
          const stream = sseStream(source, { maxEventsPerSecond: 100 });
          let delivered = 0;
          const take = async (sent: number) => {
            const first = stream.next();
            source.give("data\n\n".repeat(sent));
            await first;
            for (delivered += 1; sent > 1; sent--, delivered++) await stream.next();
          };
          for (let second = 0; second < 3; second++) {
            await take(100);
            await vi.advanceTimersByTimeAsync(1000);
          }
          await vi.advanceTimersByTimeAsync(60_000);
          await expect(take(101)).rejects.toMatchObject({ code: "ERR_RETRY_SSE_TOO_MANY_EVENTS" });
          expect(delivered).toBe(400);
        } finally {
          vi.useRealTimers();
        }
      },
    );

    it("counts nothing when there is no bound", async () => {
      const text = "data\n\n".repeat(150_000);
      expect(await collect(sseStream(pieces(text), { maxEventsPerSecond: 0 }))).toHaveLength(150_000);
      await expect(collect(sseStream(pieces(text)))).rejects.toMatchObject({
        code: "ERR_RETRY_SSE_TOO_MANY_EVENTS",
      });
    });
  });

  it("is an error when the declared last event does not come", proves("retry-sse/ended-early"), async () => {
    const stream = sseStream(pieces("data: 1\n\n"), { isTerminal: () => false });
    expect(await stream.next()).toMatchObject({ done: false });
    await expect(stream.next()).rejects.toMatchObject({ code: "ERR_RETRY_SSE_ENDED_EARLY", retry: "after" });
  });

  it("ends with its bytes when no last event was declared", proves("retry-sse/ended-early"), async () => {
    expect(await collect(sseStream(pieces("data: 1\n\n")))).toHaveLength(1);
  });

  describe("cancel", () => {
    it("frees a source that is being read, and answers the read", proves("retry-sse/cancel"), async () => {
      const source = new HandFedSource();
      const released = vi.fn();
      const stream = sseStream(source, { release: released });
      const waiting = [stream.next(), stream.next()];
      expect(await stream.return()).toEqual({ done: true, value: undefined });
      expect([source.returned, released.mock.calls.length]).toEqual([1, 1]);
      expect(await Promise.all(waiting)).toEqual([
        { done: true, value: undefined },
        { done: true, value: undefined },
      ]);
      await stream.return();
      source.give("data: late\n\n");
      await settled();
      expect([source.returned, source.reads]).toEqual([1, 1]);
      expect(await stream.next()).toEqual({ done: true, value: undefined });
    });

    it("frees the source when a loop is left", proves("retry-sse/cancel"), async () => {
      const source = new HandFedSource();
      const leaving = (async () => {
        for await (const _ of sseStream(source)) break;
      })();
      await settled();
      source.give("data: 1\n\ndata: 2\n\n");
      await leaving;
      expect(source.returned).toBe(1);
    });

    it(
      "cancels a web stream and destroys a Node stream during a read",
      proves("retry-sse/cancel"),
      async () => {
        const cancelled = vi.fn();
        const web = new ReadableStream<Uint8Array>({ cancel: cancelled });
        const node = new Readable({ read() {} });
        for (const bytes of [web, node]) {
          const stream = sseStream(bytes);
          const waiting = stream.next();
          await settled();
          await stream.return();
          expect(await waiting).toEqual({ done: true, value: undefined });
        }
        await settled();
        expect(cancelled).toHaveBeenCalledOnce();
        expect(node.destroyed).toBe(true);
      },
    );

    it(
      "rejects a waiting read when the signal fires, and frees the source",
      proves("retry-sse/cancel"),
      async () => {
        const source = new HandFedSource();
        const abort = new AbortController();
        const stream = sseStream(source, { signal: abort.signal });
        const waiting = stream.next();
        abort.abort(new Error("enough"));
        await expect(waiting).rejects.toMatchObject({
          code: "ERR_RETRY_SSE_ABORTED",
          retry: "never",
          cause: { message: "enough" },
        });
        expect(source.returned).toBe(1);
      },
    );

    it(
      "delivers nothing after the signal fired, also when it fired before",
      proves("retry-sse/cancel"),
      async () => {
        const source = new HandFedSource();
        const stream = sseStream(source, { signal: AbortSignal.abort() });
        await expect(stream.next()).rejects.toMatchObject({ code: "ERR_RETRY_SSE_ABORTED" });
        expect([source.reads, source.returned]).toEqual([0, 1]);

        const abort = new AbortController();
        const other = sseStream(pieces("data: 1\n\ndata: 2\n\n"), { signal: abort.signal });
        await other.next();
        abort.abort();
        await expect(other.next()).rejects.toMatchObject({ code: "ERR_RETRY_SSE_ABORTED" });
      },
    );

    it("survives a source and a release that fail on their way out", async () => {
      const bytes: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => {
            throw new Error("source");
          },
        }),
      };
      const stream = sseStream(bytes, { release: () => Promise.reject(new Error("release")) });
      await stream.return();
      await settled();
    });

    it("is over once it was left, also when it had failed meanwhile", async () => {
      const abort = new AbortController();
      const stream = sseStream(new HandFedSource(), { signal: abort.signal });
      abort.abort();
      await stream.return();
      expect(await stream.next()).toEqual({ done: true, value: undefined });
    });

    it("counts only delivered events in the last event id", async () => {
      const stream = sseStream(pieces("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n"));
      await stream.next();
      expect(stream.lastEventId).toBe("1");
      await stream.return();
      expect(stream.lastEventId).toBe("1");
    });
  });

  it("rejects with what a callback of the caller throws, and frees the source", async () => {
    const source = new HandFedSource();
    const stream = sseStream(source, {
      onComment: () => {
        throw new Error("mine");
      },
    });
    const waiting = stream.next();
    source.give(": hi\n\n");
    await expect(waiting).rejects.toThrow("mine");
    expect(source.returned).toBe(1);
  });

  describe("size", () => {
    it.each([
      ["finished in one piece", [`data: ${"x".repeat(2000)}\n\n`]],
      ["in characters of three bytes", [`data: ${"€".repeat(400)}\n\n`]],
      ["as many data lines", ["data: xxxxxxxx\n".repeat(130), "\n"]],
      ["as its name", [`event: ${"x".repeat(2000)}\ndata: a\n\n`]],
      ["as its id", [`id: ${"x".repeat(2000)}\ndata: a\n\n`]],
      ["as an id without data", [`id: ${"x".repeat(2000)}\n\n`]],
      ["never finished", Array.from({ length: 10 }, () => `${"x".repeat(300)}`)],
    ])("refuses an event that is too large, %s", proves("retry-sse/event-size"), async (_, texts) => {
      const source = pieces(
        "data: before\n\ndata: ",
        "\n\n",
        ...texts.map((t, i) => (i === 0 && !t.includes(":") ? `data: ${t}` : t)),
      );
      const stream = sseStream(source, { maxEventBytes: 1000 });
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { data } of stream) seen.push(data);
      })();
      await expect(reading).rejects.toMatchObject({ code: "ERR_RETRY_SSE_EVENT_TOO_LARGE", retry: "never" });
      expect(seen).toEqual(["before", ""]);
    });

    it("accepts a large event of many lines or in small pieces", proves("retry-sse/event-size"), async () => {
      const options = { maxEventBytes: 1024 * 1024 };
      const lines = "data: twenty characters...\n".repeat(40_000);
      for (const texts of [[lines], [lines.slice(0, 500_000), lines.slice(500_000)]]) {
        const events = await collect(sseStream(pieces(...texts, "\n"), options));
        expect(events.map(({ data }) => data.length)).toEqual([40_000 * 21 - 1]);
      }
      const tens = Array.from({ length: 100_000 }, () => "0123456789");
      const events = await collect(sseStream(pieces("data: ", ...tens, "\n\n"), options));
      expect(events.map(({ data }) => data.length)).toEqual([1_000_000]);
    });

    it("accepts an event of exactly the size, in any pieces", proves("retry-sse/event-size"), async () => {
      const data = "x".repeat(1000 - "message".length);
      for (const step of [1, 7, 2000]) {
        const text = `data: ${data}\n\n`;
        const parts = Array.from({ length: Math.ceil(text.length / step) }, (_, i) =>
          text.slice(i * step, (i + 1) * step),
        );
        const events = await collect(sseStream(pieces(...parts), { maxEventBytes: 1000 }));
        expect(events).toEqual([message(data)]);
      }
    });
  });

  describe("silence", () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it("gives up after idleTimeoutMs without a byte", proves("retry-sse/two-silences"), async () => {
      const source = new HandFedSource();
      const waiting = sseStream(source, { idleTimeoutMs: 1000 }).next();
      const outcome = expect(waiting).rejects.toMatchObject({
        code: "ERR_RETRY_SSE_IDLE_TIMEOUT",
        retry: "after",
      });
      await vi.advanceTimersByTimeAsync(999);
      expect(source.returned).toBe(0);
      await vi.advanceTimersByTimeAsync(2);
      await outcome;
      expect(source.returned).toBe(1);
      expect(vi.getTimerCount()).toBe(0);
    });

    it("hears a keep-alive and a piece of an event as sound", proves("retry-sse/two-silences"), async () => {
      const source = new HandFedSource();
      const waiting = sseStream(source, { idleTimeoutMs: 1000 }).next();
      for (const sound of [": keep-alive\n", "da", "ta: 1", "\n"]) {
        await vi.advanceTimersByTimeAsync(900);
        source.give(sound);
      }
      await vi.advanceTimersByTimeAsync(900);
      source.give("\n");
      expect(await waiting).toEqual({ done: false, value: message("1") });
    });

    it(
      "gives up after progressTimeoutMs without an event, whatever else comes",
      proves("retry-sse/two-silences"),
      async () => {
        const source = new HandFedSource();
        const stream = sseStream(source, { idleTimeoutMs: 1000, progressTimeoutMs: 3000 });
        const outcome = expect(stream.next()).rejects.toMatchObject({
          code: "ERR_RETRY_SSE_PROGRESS_TIMEOUT",
        });
        for (let round = 0; round < 4; round++) {
          await vi.advanceTimersByTimeAsync(800);
          source.give(": keep-alive\n");
        }
        await outcome;
        expect(source.returned).toBe(1);
      },
    );

    it("counts the wait for each event anew", async () => {
      const source = new HandFedSource();
      const stream = sseStream(source, { idleTimeoutMs: 0, progressTimeoutMs: 1000 });
      for (let round = 0; round < 5; round++) {
        const next = stream.next();
        await vi.advanceTimersByTimeAsync(900);
        source.give("data: 1\n\n");
        expect(await next).toMatchObject({ done: false });
      }
    });

    it("does not count the time of a slow consumer", proves("retry-sse/slow-consumer"), async () => {
      const source = new HandFedSource();
      const stream = sseStream(source, { idleTimeoutMs: 1000, progressTimeoutMs: 1000 });
      const first = stream.next();
      source.give("data: 1\n\n");
      await first;
      await vi.advanceTimersByTimeAsync(60_000);
      const second = stream.next();
      await vi.advanceTimersByTimeAsync(900);
      source.give("data: 2\n\n");
      expect(await second).toMatchObject({ value: { data: "2" } });
    });

    it("looks at what has arrived before it judges a stall of its own", async () => {
      const source = new HandFedSource();
      const stream = sseStream(source, { idleTimeoutMs: 1000 });
      const first = stream.next();
      await vi.advanceTimersByTimeAsync(999);
      // The bytes are there, but a blocked process runs its timers first.
      vi.advanceTimersByTime(1);
      source.give("data: 1\n\n");
      await vi.advanceTimersByTimeAsync(10);
      expect(await first).toMatchObject({ value: { data: "1" } });
    });

    it("sets no timer when both bounds are off", () => {
      void sseStream(new HandFedSource(), { idleTimeoutMs: 0 }).next();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
