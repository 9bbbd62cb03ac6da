import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { proves, type ScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { HttpRequest, HttpResponse, HttpTransport } from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startWire, WIRES, type Wire } from "./support/wires.ts";

describe.concurrent.each(WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  let server: ScriptedServer;
  let gone: Promise<unknown>;

  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
    server = await wire.server({
      handler: (seen, exchange) => {
        gone = once(exchange.gone, "abort");
        if (seen.path === "/stalls") {
          exchange.response.write("begun");
          return undefined;
        }
        return { body: seen.path === "/json" ? '{"planted": secret}' : "\uFEFFwhole" };
      },
    });
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await server.close();
    await wire[Symbol.asyncDispose]();
  });

  const get = (path: string): HttpRequest => ({ method: "GET", url: new URL(path, server.url), headers: [] });

  describe("a response body", { concurrent: false }, () => {
    it("is read once", proves("transport/body-once"), async () => {
      const response = await transport.send(get("/whole"));
      expect(await response.text()).toBe("whole");

      expect((await failure(response.text())).code).toBe("ERR_TRANSPORT_BODY_USED");
      expect((await failure(response.bytes())).code).toBe("ERR_TRANSPORT_BODY_USED");
      expect(() => response.body[Symbol.asyncIterator]()).toThrowError(/already read/);
    });

    it("cannot be read after cancel()", proves("transport/body-once"), async () => {
      const response = await transport.send(get("/whole"));
      await response.cancel();
      await response.cancel();

      expect((await failure(response.text())).code).toBe("ERR_TRANSPORT_BODY_USED");
    });

    it("does not look whole when somebody cancels it half-way", proves("transport/body-once"), async () => {
      const response = await transport.send(get("/stalls"));
      const reading = response.text();
      await response.cancel();

      expect((await failure(reading)).code).toBe("ERR_TRANSPORT_ABORTED");
      await gone;
    });

    it("gives up its connection on cancel()", proves("transport/body-released"), async () => {
      const response = await transport.send(get("/stalls"));
      await response.cancel();
      await gone;
    });

    it(
      "gives up its connection when the reader leaves early",
      proves("transport/body-released"),
      async () => {
        const response = await transport.send(get("/stalls"));
        for await (const piece of response.body) {
          expect(Buffer.from(piece).toString()).toBe("begun");
          break;
        }
        await gone;
      },
    );

    it("gives up its connection when it is dropped unread", proves("transport/body-released"), async () => {
      setFlagsFromString("--expose-gc");
      const collectGarbage: () => void = runInNewContext("gc");
      await drop(await transport.send(get("/stalls")));
      const left = gone.then(() => true);

      await vi.waitFor(
        async () => {
          collectGarbage();
          expect(await Promise.race([left, new Promise((resolve) => setImmediate(resolve))])).toBe(true);
        },
        { timeout: 10_000 },
      );
    });

    it(
      "keeps its connection for the next request when it was read to the end",
      proves("transport/body-released"),
      async () => {
        await using one = await wire.server({ handler: () => ({ body: "x".repeat(100_000) }) });
        for (let round = 0; round < 5; round += 1) {
          const response = await transport.send({ method: "GET", url: one.url, headers: [] });
          expect((await response.bytes()).byteLength).toBe(100_000);
          await new Promise((resolve) => setImmediate(resolve));
        }

        expect(one.connections).toBe(1);
      },
    );

    it("holds back a sender that its reader cannot follow", proves("transport/body-bounded"), async () => {
      const piece = Buffer.alloc(64 * 1024, "x");
      let writtenBytes = 0;
      let stalled: (() => void) | undefined;
      const stall = new Promise<void>((resolve) => {
        stalled = resolve;
      });
      await using raw = await wire.raw((socket) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
          const pump = () => {
            let quiet: NodeJS.Timeout | undefined;
            const more = () => {
              clearTimeout(quiet);
              while (writtenBytes < 512 * 1024 * 1024) {
                writtenBytes += piece.length;
                const open = socket.write(`10000\r\n${piece.toString("latin1")}\r\n`, "latin1");
                if (!open) {
                  quiet = setTimeout(() => stalled?.(), 200);
                  socket.once("drain", more);
                  return;
                }
              }
            };
            more();
          };
          pump();
        });
      });

      const response = await transport.send({ method: "GET", url: raw.url, headers: [] });
      const iterator = response.body[Symbol.asyncIterator]();
      await iterator.next();
      await stall;

      // What the kernel keeps for both ends is some MiB; the rest must still be with the sender.
      expect(writtenBytes).toBeLessThan(64 * 1024 * 1024);
      const before = writtenBytes;
      let readBytes = 0;
      while (readBytes < before) readBytes += (await iterator.next()).value?.byteLength ?? Number.NaN;
      expect(writtenBytes).toBeGreaterThan(before);
      await iterator.return?.();
    });

    it("that is not JSON is an error that does not quote it", proves("transport/no-secrets"), async () => {
      const response = await transport.send(get("/json"));

      const error = await failure(response.json());

      expect([error.code, error.cause]).toEqual(["ERR_TRANSPORT_BAD_JSON", undefined]);
      expect(error.message).not.toContain("secret");
    });
  });
});

async function drop(response: HttpResponse): Promise<void> {
  expect(response.status).toBe(200);
}
