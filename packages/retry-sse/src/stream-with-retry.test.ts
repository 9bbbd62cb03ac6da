import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HandFedSource, pieces, utf8 } from "../test/bytes.ts";
import { SmallOperation, scriptedSender } from "../test/senders.ts";
import type { SseEvent } from "./event-decoder.ts";
import { sseStream } from "./sse-stream.ts";
import { type StreamAttempt, streamWithRetry } from "./stream-with-retry.ts";
import { withRetry } from "./with-retry.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function reset(): Error {
  return Object.assign(new Error("reset"), { code: "ECONNRESET" });
}

async function* broken(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield utf8(text);
  throw reset();
}

/** Reads to the end while every wait passes. */
async function read(events: AsyncIterable<SseEvent>): Promise<{ data: string[]; error?: unknown }> {
  const data: string[] = [];
  const reading = (async () => {
    for await (const event of events) data.push(event.data);
  })();
  const outcome = reading.then(
    () => ({ data }),
    (error: unknown) => ({ data, error }),
  );
  await vi.runAllTimersAsync();
  return outcome;
}

/** Opens the n-th of the given sources and remembers the attempts. */
function opener(...sources: readonly (() => AsyncIterable<Uint8Array> | Promise<never>)[]) {
  const attempts: StreamAttempt[] = [];
  const open = async (attempt: StreamAttempt) => {
    const source = sources[Math.min(attempts.length, sources.length - 1)];
    attempts.push(attempt);
    return sseStream((await source?.()) ?? pieces(), { signal: attempt.signal });
  };
  return { attempts, open };
}

describe(streamWithRetry, () => {
  it("opens again what fails before its first event", async () => {
    const { attempts, open } = opener(
      () => Promise.reject(reset()),
      () => broken(": hello\n"),
      () => pieces("data: 1\n\n"),
    );
    expect(await read(streamWithRetry({}, open))).toEqual({ data: ["1"] });
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it("does not open again once an event was delivered", proves("retry-sse/no-replay"), async () => {
    const { attempts, open } = opener(() => broken("id: 7\ndata: 1\n\n"));
    expect(await read(streamWithRetry({}, open))).toMatchObject({ data: ["1"], error: { message: "reset" } });
    expect(attempts).toHaveLength(1);
  });

  it("opens again in any case when replay is safe", proves("retry-sse/no-replay"), async () => {
    const { attempts, open } = opener(
      () => broken("data: 1\n\n"),
      () => pieces("data: 1\n\ndata: 2\n\n"),
    );
    const events = streamWithRetry({}, open, { afterFirstEvent: "replay" });
    expect(await read(events)).toEqual({ data: ["1", "1", "2"] });
    expect(attempts).toHaveLength(2);
  });

  it("resumes from the last event that was delivered", proves("retry-sse/resume"), async () => {
    const { attempts, open } = opener(
      () => broken("id: 7\ndata: 1\n\n"),
      () => broken(),
      () => pieces("id: 8\ndata: 2\n\n"),
    );
    const events = streamWithRetry({}, open, { afterFirstEvent: "resume" });
    expect(await read(events)).toEqual({ data: ["1", "2"] });
    expect(attempts.map(({ lastEventId }) => lastEventId)).toEqual(["", "7", "7"]);
  });

  it(
    "counts anew after a stream that lasted, so that a long one can be resumed for ever",
    proves("retry-sse/resume"),
    async () => {
      let opened = 0;
      async function* lasting(): AsyncGenerator<SseEvent> {
        opened += 1;
        yield { event: "message", data: `${opened}`, id: `${opened}` };
        await new Promise((resolve) => setTimeout(resolve, 600_000));
        throw reset();
      }
      const events = streamWithRetry({}, async () => lasting(), { afterFirstEvent: "resume" });
      const data: string[] = [];
      const reading = (async () => {
        for await (const event of events) if (data.push(event.data) === 20) break;
      })();
      await vi.runAllTimersAsync();
      await reading;
      expect(data.at(-1)).toBe("20");
    },
  );

  it(
    "goes on counting after streams that break at once, whatever they delivered",
    proves("retry-sse/one-budget"),
    async () => {
      let opened = 0;
      const open = async () => {
        opened += 1;
        return sseStream(broken(`id: ${opened}\ndata: x\n\n`));
      };
      const { data } = await read(streamWithRetry({}, open, { afterFirstEvent: "resume" }));
      expect([opened, data.length]).toEqual([5, 5]);
    },
  );

  it("fills up no budget that an operation brought", proves("retry-sse/one-budget"), async () => {
    let opened = 0;
    async function* lasting(): AsyncGenerator<SseEvent> {
      opened += 1;
      yield { event: "message", data: "", id: `${opened}` };
      await new Promise((resolve) => setTimeout(resolve, 600_000));
      throw reset();
    }
    const options = { afterFirstEvent: "resume", operation: new SmallOperation() } as const;
    await read(streamWithRetry({}, async () => lasting(), options));
    expect(opened).toBe(6);
  });

  it("fails at once when a server asks for too long a wait", proves("retry-sse/retry-after"), async () => {
    const error = Object.assign(new Error("later"), { retry: "after", retryAtMs: Date.now() + 61_000 });
    const { attempts, open } = opener(() => Promise.reject(error));
    expect(await read(streamWithRetry({}, open))).toEqual({ data: [], error });
    expect(attempts).toHaveLength(1);
  });

  it("does not resume from nowhere", proves("retry-sse/resume"), async () => {
    const { attempts, open } = opener(() => broken("data: 1\n\n"));
    const events = streamWithRetry({}, open, { afterFirstEvent: "resume" });
    expect(await read(events)).toMatchObject({ data: ["1"], error: { message: "reset" } });
    expect(attempts).toHaveLength(1);
  });

  it("stops when its policy does, with the error as it is", async () => {
    const { attempts, open } = opener(() => broken());
    expect(await read(streamWithRetry({ maxRetries: 2 }, open))).toMatchObject({
      error: { message: "reset" },
    });
    expect(attempts).toHaveLength(3);
  });

  it("obeys an error that says never", proves("retry-sse/said-never"), async () => {
    const { attempts, open } = opener(() => pieces(`data: ${"x".repeat(100)}\n\n`));
    const small = async (attempt: StreamAttempt) => {
      await open(attempt);
      return sseStream(pieces("data: 123456789\n\n"), { maxEventBytes: 8 });
    };
    expect(await read(streamWithRetry({}, small))).toMatchObject({
      error: { code: "ERR_RETRY_SSE_EVENT_TOO_LARGE" },
    });
    expect(attempts).toHaveLength(1);
  });

  it("makes at most 6 requests with a request layer below", proves("retry-sse/one-budget"), async () => {
    const wire = scriptedSender(500);
    const transport = withRetry()(wire);
    const open = async ({ operation, signal }: StreamAttempt<SmallOperation>) => {
      const response = await transport.send({ method: "POST", idempotent: true, operation, signal });
      throw Object.assign(new Error(`status ${response.status}`), { retry: "after" });
    };
    const events = streamWithRetry({}, open, { operation: new SmallOperation() });
    expect(await read(events)).toMatchObject({ error: { message: "status 500" } });
    expect(wire.seen).toHaveLength(6);
  });

  it(
    "frees the open stream at once when its consumer leaves during a read",
    proves("retry-sse/cancel"),
    async () => {
      const source = new HandFedSource();
      const { attempts, open } = opener(() => source);
      const events = streamWithRetry({}, open);
      const waiting = events.next();
      await vi.advanceTimersByTimeAsync(0);
      expect(source.reads).toBe(1);
      await events.return?.();
      expect(source.returned).toBe(1);
      expect(attempts[0]?.signal.aborted).toBe(true);
      expect(await waiting).toEqual({ done: true, value: undefined });
      expect(await events.next()).toEqual({ done: true, value: undefined });
    },
  );

  it("frees each stream that failed before it opens the next", async () => {
    const first = new HandFedSource();
    const { open } = opener(
      () => first,
      () => pieces("data: 1\n\n"),
    );
    const reading = read(
      streamWithRetry({}, async (attempt) => {
        const events = await open(attempt);
        if (attempt.attempt === 1) {
          void events.next().catch(() => {});
          return {
            [Symbol.asyncIterator]: () => ({
              next: () => Promise.reject(reset()),
              return: () => events.return(),
            }),
          };
        }
        expect(first.returned).toBe(1);
        return events;
      }),
    );
    expect(await reading).toEqual({ data: ["1"] });
  });

  it(
    "ends a wait, and opens nothing more, when its consumer leaves",
    proves("retry-sse/cancel"),
    async () => {
      const { attempts, open } = opener(() => broken());
      const events = streamWithRetry({}, open);
      const waiting = events.next();
      await vi.advanceTimersByTimeAsync(50);
      await events.return?.();
      expect(await waiting).toEqual({ done: true, value: undefined });
      await vi.runAllTimersAsync();
      expect([attempts.length, vi.getTimerCount()]).toEqual([1, 0]);
    },
  );

  it("rejects when the caller's signal fires", proves("retry-sse/cancel"), async () => {
    const source = new HandFedSource();
    const abort = new AbortController();
    const { attempts, open } = opener(() => source);
    const reading = read(streamWithRetry({}, open, { signal: abort.signal }));
    await vi.advanceTimersByTimeAsync(0);
    abort.abort("enough");
    expect(await reading).toMatchObject({ error: { code: "ERR_RETRY_SSE_ABORTED" } });
    expect([source.returned, attempts.length]).toEqual([1, 1]);
  });
});
