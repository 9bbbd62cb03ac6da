import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { isRetrySseError, type SseEvent, type SseStreamOptions, sseStream } from "../src/sse.ts";
import { reachableBytes, reachableBytesNow } from "./heap.ts";
import { randomBytes, randomPieces, seededRandom } from "./random-input.ts";

const long = process.env["HAWSER_TEST_LONG"] === "1";
const inputs = long ? 1_000_000 : 20_000;
const MIB = 1024 * 1024;

interface Outcome {
  readonly events: readonly SseEvent[];
  readonly lastEventId: string;
  readonly code: string | undefined;
}

/** Reads to the end. Any failure but one of this package's own is a crash. */
async function read(pieces: Iterable<Uint8Array>, options: SseStreamOptions): Promise<Outcome> {
  const events: SseEvent[] = [];
  const stream = sseStream(sourceOf(pieces), options);
  let code: string | undefined;
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    if (!isRetrySseError(error)) throw error;
    code = error.code;
  }
  return { events, lastEventId: stream.lastEventId, code };
}

function sourceOf(pieces: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = pieces[Symbol.iterator]();
  return { [Symbol.asyncIterator]: () => ({ next: async () => iterator.next() }) };
}

/** The same piece again and again; remembers how much of it was taken, and what that made the process hold. */
function endless(piece: string, beginning = "") {
  const source = { taken: 0, held: 0, pieces: repeat() };
  function* repeat(): Generator<Uint8Array, void> {
    const before = reachableBytesNow();
    yield new TextEncoder().encode(beginning);
    const bytes = new TextEncoder().encode(piece);
    for (let sampledAt = 0; ; source.taken += bytes.length) {
      if (source.taken - sampledAt > MIB / 2) {
        sampledAt = source.taken;
        source.held = Math.max(source.held, reachableBytesNow() - before);
      }
      yield bytes;
    }
  }
  return source;
}

describe("bytes that nobody would send", () => {
  it(`neither crash nor hang the reader, nor make it hold more than its limit: ${inputs} inputs`, {
    ...proves("retry-sse/random-bytes", "retry-sse/any-chunking"),
    timeout: 900_000,
  }, async () => {
    const seed = Date.now() % 2 ** 31;
    const random = seededRandom(seed);
    let heapAfterWarmUp = 0;
    for (let count = 0; count < inputs; count++) {
      const bytes = randomBytes(random);
      const pieces = randomPieces(bytes, random);
      const where = `seed ${seed}, input ${count}`;

      const whole = await read([bytes], { idleTimeoutMs: 0 });
      const split = await read(pieces, { idleTimeoutMs: 0 });
      if (JSON.stringify(split) !== JSON.stringify(whole)) expect(split, where).toEqual(whole);
      if (whole.code !== undefined) expect(whole.code, where).toBeUndefined();

      const bounded = await read(pieces, {
        idleTimeoutMs: 0,
        maxEventBytes: 48,
        maxEventsPerSecond: random() < 0.2 ? 5 : 0,
        isTerminal: random() < 0.2 ? ({ data }) => data.length > 8 : undefined,
        onComment: random() < 0.5 ? () => {} : undefined,
        endWaitMs: random() < 0.5 ? 0 : undefined,
      });
      // What is bounded delivers the beginning of the same, and nothing over the limit.
      for (const [index, event] of bounded.events.entries()) {
        const size = Buffer.byteLength(event.event + event.data);
        if (size > 48 || event.data !== whole.events[index]?.data) expect(event, where).toEqual("in bounds");
      }
      if (count === inputs / 10) heapAfterWarmUp = await reachableBytes();
    }
    expect((await reachableBytes()) - heapAfterWarmUp).toBeLessThan(8 * MIB);
  });

  it.each([
    ["one line, in large pieces", endless("x".repeat(65_536), "data: ")],
    ["one line, in pieces of 7 bytes", endless("1234567", "data: ")],
    ["one line, three bytes to a character", endless("€€€€", "data: ")],
    ["data lines without an end", endless("data: 0123456789\n")],
    ["empty data lines", endless("data\n")],
    ["a comment that somebody listens to", endless("x".repeat(1000), ": ")],
    ["a name", endless("x".repeat(1000), "event: ")],
    ["an id", endless("x".repeat(1000), "id: ")],
  ])(
    "are refused when an event never ends: %s",
    proves("retry-sse/random-bytes", "retry-sse/event-size"),
    async (_, source) => {
      const maxEventBytes = MIB;
      const { code, events } = await read(source.pieces, {
        maxEventBytes,
        maxEventsPerSecond: 0,
        onComment: () => {},
      });
      expect([code, events.length]).toEqual(["ERR_RETRY_SSE_EVENT_TOO_LARGE", 0]);
      // The bound counts characters until an event is complete: up to three bytes each, and five for an empty line.
      expect(source.taken).toBeLessThan(6 * maxEventBytes);
      // Twice the characters, what their pieces cost, and what the process holds at one time and not at another.
      expect(source.held).toBeLessThan(8 * maxEventBytes);
    },
  );

  it.each([
    ["a comment that nobody listens to", ": "],
    ["an unknown field", "unknown: "],
    ["a line that is nothing", "\0"],
  ])("are passed over without keeping them: %s", proves("retry-sse/random-bytes"), async (_, beginning) => {
    const source = endless("x".repeat(65_536), beginning);
    const enough = new AbortController();
    function* bounded(): Generator<Uint8Array, void> {
      for (const bytes of source.pieces) {
        if (source.taken > 32 * MIB) enough.abort();
        yield bytes;
      }
    }
    const { code } = await read(bounded(), { maxEventBytes: MIB, signal: enough.signal });
    expect(code).toBe("ERR_RETRY_SSE_ABORTED");
    expect(source.held).toBeLessThan(4 * MIB);
  });
});
