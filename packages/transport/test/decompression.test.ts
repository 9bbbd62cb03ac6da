import { once } from "node:events";
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { proves, type ScriptedServer } from "@hawser/test-kit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DecompressOptions, type HttpRequest, type HttpTransport, headerValue } from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { SAMPLED_WIRES, startWire, type Wire } from "./support/wires.ts";

interface Answer {
  readonly encoding: string | string[];
  readonly body: Uint8Array;
  readonly status?: number;
}

const text = "häuser ".repeat(5_000);
const encoders: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: (bytes) => gzipSync(bytes),
  "x-gzip": (bytes) => gzipSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  GZIP: (bytes) => gzipSync(bytes),
};
const encoded = (bytes: Uint8Array, ...codings: string[]) =>
  codings.reduce((before, coding) => encoders[coding]?.(before) ?? before, bytes);

/** 8 MiB of nothing. */
const ZEROS: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  ["gzip", "br", "zstd"].map((coding) => [coding, encoded(Buffer.alloc(8 * 1024 * 1024), coding)]),
);
const bomb = gzipSync(gzipSync(Buffer.alloc(300 * 1024 * 1024), { level: 9 }), { level: 9 });

describe.concurrent.each(SAMPLED_WIRES)("over %s", (name) => {
  let wire: Wire;
  let decoding: HttpTransport & AsyncDisposable;
  let plain: HttpTransport & AsyncDisposable;
  let server: ScriptedServer;
  let answer: Answer;
  let gone: Promise<unknown>;

  beforeAll(async () => {
    wire = await startWire(name);
    decoding = wire.transport({ decompress: true });
    plain = wire.transport();
    server = await wire.server({
      handler: (_seen, exchange) => {
        gone = once(exchange.gone, "abort");
        return {
          status: answer.status ?? 200,
          headers: { "content-encoding": answer.encoding, "x-a": "1" },
          body: answer.body,
        };
      },
    });
  });
  afterAll(async () => {
    await decoding[Symbol.asyncDispose]();
    await plain[Symbol.asyncDispose]();
    await server.close();
    await wire[Symbol.asyncDispose]();
  });

  const get = (more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "GET",
    url: server.url,
    headers: [],
    ...more,
  });
  describe("decompression", { concurrent: false }, () => {
    it.each(Object.keys(encoders))(
      "undoes %s and says nothing of it",
      proves("transport/decompression"),
      async (coding) => {
        answer = { encoding: coding, body: encoded(Buffer.from(text), coding) };

        const response = await decoding.send(get());

        expect(await response.text()).toBe(text);
        expect(response.headers.map(([name]) => name)).not.toContain("content-encoding");
        expect(response.headers.map(([name]) => name)).not.toContain("content-length");
        expect(headerValue(response.headers, "x-a")).toBe("1");
        expect(server.seen.at(-1)?.headers["accept-encoding"]).toBe("zstd, br, gzip");
      },
    );

    it("undoes two codings, in one header or in two", proves("transport/decompression"), async () => {
      for (const encoding of ["gzip, zstd", ["gzip", "zstd"], "identity, gzip,, zstd"]) {
        answer = { encoding, body: encoded(Buffer.from(text), "gzip", "zstd") };
        expect(await (await decoding.send(get())).text()).toBe(text);
      }
    });

    it("gives back any body as it was", proves("transport/decompression"), async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 200_000 }),
          fc.subarray(["gzip", "br", "zstd"], { minLength: 1, maxLength: 2 }),
          async (bytes, codings) => {
            answer = { encoding: codings.join(", "), body: encoded(bytes, ...codings) };
            expect(Buffer.compare(await (await decoding.send(get())).bytes(), bytes)).toBe(0);
          },
        ),
        { numRuns: 30 },
      );
    });

    it("leaves a body alone without the option", proves("transport/decompression"), async () => {
      answer = { encoding: "gzip", body: encoded(Buffer.from(text), "gzip") };

      const response = await plain.send(get());

      expect(Buffer.compare(await response.bytes(), answer.body)).toBe(0);
      expect(headerValue(response.headers, "content-encoding")).toBe("gzip");
      expect(server.seen.at(-1)?.headers["accept-encoding"]).toBeUndefined();
    });

    it.each([
      ["accept-encoding", "gzip"],
      ["Range", "bytes=0-"],
    ])(
      "leaves a body alone when the request sets %s",
      proves("transport/decompression"),
      async (name, value) => {
        answer = { encoding: "gzip", body: encoded(Buffer.from(text), "gzip") };

        const response = await decoding.send(get({ headers: [[name, value]] }));

        expect(Buffer.compare(await response.bytes(), answer.body)).toBe(0);
        expect(server.seen.at(-1)?.headers["accept-encoding"]).toBe(name === "Range" ? undefined : "gzip");
      },
    );

    it("leaves a body alone whose coding it does not know", proves("transport/decompression"), async () => {
      answer = { encoding: "gzip, compress", body: Buffer.from("??") };

      const response = await decoding.send(get());

      expect(await response.text()).toBe("??");
      expect(headerValue(response.headers, "content-encoding")).toBe("gzip, compress");
    });

    it.each([
      ["a HEAD request", { method: "HEAD" }, 200],
      ["a 204", {}, 204],
      ["a 304", {}, 304],
      ["an empty body", {}, 200],
    ])("finds no fault with %s", proves("transport/decompression"), async (_name, more, status) => {
      answer = { encoding: "gzip", body: Buffer.alloc(0), status };

      expect((await (await decoding.send(get(more))).bytes()).byteLength).toBe(0);
    });

    it.each([
      [
        "gzip",
        () => createGzip(),
        (stream: ReturnType<typeof createGzip>) => stream.flush(constants.Z_SYNC_FLUSH),
      ],
      ["br", () => createBrotliCompress(), (stream: ReturnType<typeof createGzip>) => stream.flush()],
      ["zstd", () => createZstdCompress(), (stream: ReturnType<typeof createGzip>) => stream.flush()],
    ] as const)(
      "hands on each event of a %s stream as it comes",
      proves("transport/decompression"),
      async (coding, make, flush) => {
        let more: (() => void) | undefined;
        await using streaming = await wire.server({
          handler: (_seen, { response }) => {
            response.writeHead(200, { "content-encoding": coding });
            const encoder = make();
            encoder.pipe(response);
            let events = 0;
            more = () => {
              events += 1;
              encoder.write(`event ${events}`);
              flush(encoder as ReturnType<typeof createGzip>);
              if (events === 3) encoder.end();
            };
            more();
          },
        });

        const events: string[] = [];
        const response = await decoding.send(get({ url: streaming.url }));
        for await (const piece of response.body) {
          events.push(Buffer.from(piece).toString());
          // The next one is only written when this one is here.
          more?.();
          if (events.length === 3) more = undefined;
        }

        expect(events).toEqual(["event 1", "event 2", "event 3"]);
      },
    );
  });

  describe("a body that lies", { concurrent: false }, () => {
    const sending = async (
      body: Answer,
      options: DecompressOptions | true = true,
      more: Partial<HttpRequest> = {},
    ) => {
      answer = body;
      await using transport = wire.transport({ decompress: options });
      const response = await transport.send(get(more));
      let bytes = 0;
      const error = await failure(
        (async () => {
          for await (const piece of response.body) bytes += piece.byteLength;
        })(),
      );
      return { error, bytes };
    };

    it(
      "of 658 bytes that become 300 MB is refused after 1 MiB",
      proves("transport/decompression-bounded"),
      async () => {
        expect(bomb.byteLength).toBeLessThan(1_000);
        const before = process.memoryUsage().rss;

        const { error, bytes } = await sending({ encoding: "gzip, gzip", body: bomb });

        expect([error.code, error.sent, error.retry]).toEqual([
          "ERR_TRANSPORT_BODY_TOO_LARGE",
          "yes",
          "never",
        ]);
        expect(bytes).toBeLessThanOrEqual(1024 * 1024);
        expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
      },
    );

    it(
      "is refused at maxResponseBytes, counted as it comes out",
      proves("transport/decompression-bounded"),
      async () => {
        const { error, bytes } = await sending(
          { encoding: "gzip, gzip", body: bomb },
          { maxRatio: 0 },
          { limits: { maxResponseBytes: 5_000_000 } },
        );

        expect(error.code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
        expect(bytes).toBeLessThanOrEqual(5_000_000);
      },
    );

    it.each(["gzip", "br", "zstd"])(
      "is refused for its ratio in %s",
      proves("transport/decompression-bounded"),
      async (coding) => {
        const { error, bytes } = await sending({
          encoding: coding,
          body: ZEROS[coding] ?? Buffer.alloc(0),
        });

        expect(error.code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
        expect(bytes).toBeLessThan(8 * 1024 * 1024);
      },
    );

    it("passes with the ratio it was allowed", proves("transport/decompression-bounded"), async () => {
      answer = { encoding: "gzip", body: gzipSync(Buffer.alloc(8 * 1024 * 1024)) };
      await using transport = wire.transport({ decompress: { maxRatio: 2_000 } });

      expect((await (await transport.send(get())).bytes()).byteLength).toBe(8 * 1024 * 1024);
    });

    it("passes at the limit exactly", proves("transport/decompression-bounded"), async () => {
      answer = { encoding: "gzip", body: gzipSync(Buffer.from("12345678")) };

      const fits = await decoding.send(get({ limits: { maxResponseBytes: 8 } }));
      expect(await fits.text()).toBe("12345678");
      const large = await decoding.send(get({ limits: { maxResponseBytes: 7 } }));
      expect((await failure(large.text())).code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
    });

    it("and never gives anything is refused as well", proves("transport/decompression-bounded"), async () => {
      // Empty members without end.
      const empty = gzipSync(Buffer.alloc(0));
      await using raw = await wire.raw((socket) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n");
          const more = () => {
            while (!socket.destroyed && socket.write(Buffer.concat(new Array<Buffer>(1_000).fill(empty)))) {}
            socket.once("drain", more);
          };
          more();
        });
      });
      const response = await decoding.send(get({ url: raw.url, limits: { maxResponseBytes: 100_000 } }));

      expect((await failure(response.bytes())).code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
    });

    it("about three codings is refused", proves("transport/decompression-bounded"), async () => {
      answer = { encoding: "gzip, gzip, gzip", body: encoded(Buffer.from("x"), "gzip", "gzip", "gzip") };

      const error = await failure(decoding.send(get()));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_DECODING", "yes", "never"]);
    });

    it("with a window of 128 MiB is refused", proves("transport/decompression-bounded"), async () => {
      const body = zstdCompressSync(Buffer.alloc(20 * 1024 * 1024, "0123456789abcdef"), {
        params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
      });

      const { error } = await sending({ encoding: "zstd", body });

      expect(error.code).toBe("ERR_TRANSPORT_DECODING");
      expect(error.cause).toMatchObject({ code: "ZSTD_error_frameParameter_windowTooLarge" });
    });

    it.each(["gzip", "br", "zstd"])(
      "in %s and ends early, goes on or is something else is an error",
      proves("transport/decompression"),
      async (coding) => {
        const whole = Buffer.from(encoded(Buffer.from(text), coding));
        const lies = {
          early: whole.subarray(0, whole.length - 3),
          "at once": whole.subarray(0, 2),
          onward: Buffer.concat([whole, Buffer.from("planted")]),
          else: Buffer.from("planted planted planted"),
        };
        for (const [name, body] of Object.entries(lies)) {
          const { error } = await sending({ encoding: coding, body });
          expect([name, error.code, error.retry]).toEqual([name, "ERR_TRANSPORT_DECODING", "never"]);
          expect(String(error.cause)).not.toContain("planted");
        }
      },
    );

    it("keeps its own faults: reset, silence, abort", proves("transport/decompression"), async () => {
      const half = gzipSync(Buffer.from(text)).subarray(0, 20);
      await using raw = await wire.raw((socket) => {
        socket.once("data", (head) => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1000\r\n\r\n");
          socket.write(half, () => {
            if (String(head).includes("/reset")) socket.destroy();
          });
        });
      });
      const caller = new AbortController();
      const codes: string[] = [];
      for (const path of ["/reset", "/silent", "/abort"]) {
        const response = await decoding.send(
          get({
            url: new URL(path, raw.url),
            limits: { bodyIdleTimeoutMs: path === "/silent" ? 50 : 0 },
            signal: caller.signal,
          }),
        );
        const reading = failure(response.bytes());
        if (path === "/abort") setImmediate(() => caller.abort());
        codes.push((await reading).code);
      }

      expect(codes).toEqual(["ERR_TRANSPORT_RESET", "ERR_TRANSPORT_BODY_TIMEOUT", "ERR_TRANSPORT_ABORTED"]);
    });

    it(
      "lets go of its connection when the reader leaves or cancels",
      proves("transport/body-released"),
      async () => {
        await using endless = await wire.server({
          handler: (_seen, exchange) => {
            gone = once(exchange.gone, "abort");
            exchange.response.writeHead(200, { "content-encoding": "gzip" });
            const encoder = createGzip();
            encoder.pipe(exchange.response);
            encoder.write("begun");
            encoder.flush();
          },
        });
        const left = await decoding.send(get({ url: endless.url }));
        for await (const piece of left.body) {
          expect(Buffer.from(piece).toString()).toBe("begun");
          break;
        }
        await gone;

        const cancelled = await decoding.send(get({ url: endless.url }));
        const reading = failure(cancelled.text());
        await cancelled.cancel();
        expect((await reading).code).toBe("ERR_TRANSPORT_ABORTED");
        await gone;

        const unread = await decoding.send(get({ url: endless.url }));
        await unread.cancel();
        await gone;
      },
    );
  });
});
