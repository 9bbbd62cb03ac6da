import { getEventListeners, once } from "node:events";
import { proves, type ScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createUndiciTransport, type HttpRequest, type HttpTransport, Operation } from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";
import { startWire, WIRES, type Wire } from "./support/wires.ts";

async function* ticking(signal: AbortSignal) {
  while (!signal.aborted) {
    yield "tick";
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** For what happens soon, on a machine with other things to do. */
const PATIENCE = { timeout: 15_000 };

describe.concurrent.each(WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  let server: ScriptedServer;
  let gone: Promise<unknown>;
  /** By path with query, for tests that run beside others. */
  const departures = new Map<string, Promise<unknown>>();

  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
    server = await wire.server({
      handler: async (seen, exchange) => {
        gone = exchange.gone.aborted ? Promise.resolve() : once(exchange.gone, "abort");
        departures.set(seen.path, gone);
        const [path] = seen.path.split("?");
        if (path === "/silent") return undefined;
        if (path === "/stalls") {
          exchange.response.write("begun");
          return undefined;
        }
        if (path === "/ticks") return { body: ticking(exchange.gone) };
        return { body: "12345678" };
      },
    });
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await server.close();
    await wire[Symbol.asyncDispose]();
  });

  const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "GET",
    url: new URL(path, server.url),
    headers: [],
    ...more,
  });

  describe("limits", { concurrent: true }, () => {
    it("ends a wait for the response head", proves("transport/limits"), async () => {
      const error = await failure(
        transport.send(request("/silent?limit=1", { limits: { headersTimeoutMs: 50 } })),
      );

      expect([error.code, error.sent, error.retry]).toEqual([
        "ERR_TRANSPORT_HEADERS_TIMEOUT",
        "unknown",
        "after",
      ]);
      await departures.get("/silent?limit=1");
    });

    it("ends a body that falls silent", proves("transport/limits"), async () => {
      const response = await transport.send(
        request("/stalls?limit=2", { limits: { bodyIdleTimeoutMs: 50 } }),
      );

      const error = await failure(response.text());

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_BODY_TIMEOUT", "yes"]);
      await departures.get("/stalls?limit=2");
    });

    it("leaves a body alone that keeps coming", proves("transport/limits"), async () => {
      const limits = { headersTimeoutMs: 700, bodyIdleTimeoutMs: 700 };
      const response = await transport.send(request("/ticks?limit=3", { limits }));
      const startedAtMs = performance.now();
      let lastedMs = 0;

      for await (const _piece of response.body) {
        lastedMs = performance.now() - startedAtMs;
        // undici looks at its timers about once a second.
        if (lastedMs > 2_200) break;
      }

      expect(lastedMs).toBeGreaterThan(2_200);
      await departures.get("/ticks?limit=3");
    });

    it("ends the whole exchange, also one that keeps coming", proves("transport/limits"), async () => {
      const error = await failure(
        transport
          .send(request("/ticks?limit=4", { limits: { totalTimeoutMs: 500 } }))
          .then((response) => response.text()),
      );

      expect([error.code, error.retry]).toEqual(["ERR_TRANSPORT_TIMEOUT", "after"]);
      await departures.get("/ticks?limit=4");
    });

    it("ends a handshake that is not answered", proves("transport/limits"), async () => {
      await using raw = await startRawServer(() => {});
      const url = new URL(`https://127.0.0.1:${raw.port}/`);

      const error = await failure(transport.send(request("", { url, limits: { connectTimeoutMs: 50 } })));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_CONNECT_TIMEOUT", "no"]);
    });

    it("ends a handshake by the transport's own limit", proves("transport/limits"), async () => {
      await using raw = await startRawServer(() => {});
      await using impatient = wire.transport({ limits: { connectTimeoutMs: 50 } });
      const url = new URL(`https://127.0.0.1:${raw.port}/`);

      const error = await failure(impatient.send(request("", { url })));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_CONNECT_TIMEOUT", "no"]);
    });

    it("ends a body that grows too large, at the limit exactly", proves("transport/limits"), async () => {
      const fits = await transport.send(request("/eight", { limits: { maxResponseBytes: 8 } }));
      expect(await fits.text()).toBe("12345678");
      const large = await transport.send(request("/eight", { limits: { maxResponseBytes: 7 } }));

      const error = await failure(large.text());

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_BODY_TOO_LARGE", "yes", "never"]);
    });

    it("ends a body that never ends when it grows too large", proves("transport/limits"), async () => {
      const response = await transport.send(request("/ticks?limit=8", { limits: { maxResponseBytes: 20 } }));

      expect((await failure(response.bytes())).code).toBe("ERR_TRANSPORT_BODY_TOO_LARGE");
      await departures.get("/ticks?limit=8");
    });
  });

  describe("the operation's deadline", { concurrent: false }, () => {
    it("sends nothing once it has passed", proves("transport/deadline"), async () => {
      let nowMs = 0;
      const operation = Operation.start({ label: "tools/call", timeoutMs: 100, now: () => nowMs });
      nowMs = 100;
      const before = server.connections;

      const error = await failure(transport.send(request("/eight", { operation })));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_TIMEOUT", "no", "never"]);
      expect(error.message).toContain("tools/call");
      expect(server.connections).toBe(before);
    });

    it("sends nothing when the connection is ready too late", proves("transport/deadline"), async () => {
      let nowMs = 0;
      const operation = Operation.start({ label: "tools/call", timeoutMs: 60_000, now: () => nowMs });
      const agent = wire.dispatcher();
      const slowly = agent.compose((dispatch) => (options, handler) => {
        nowMs = 60_000;
        return dispatch(options, handler);
      });
      await using late = createUndiciTransport({ dispatcher: slowly });
      const before = server.seen.length;

      const error = await failure(late.send(request("/eight", { operation })));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_TIMEOUT", "no"]);
      await agent.close();
      expect(server.seen.length).toBe(before);
    });

    it("ends a wait for the response head", proves("transport/deadline"), async () => {
      const operation = Operation.start({ label: "tools/call", timeoutMs: 600 });

      const error = await failure(transport.send(request("/silent?deadline", { operation })));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_TIMEOUT", "unknown", "never"]);
      await departures.get("/silent?deadline");
    });

    it("stops a body that is still being sent", proves("transport/deadline"), async () => {
      await using raw = await wire.raw((socket) => socket.resume());
      let released = false;
      async function* endless() {
        try {
          for (;;) {
            yield new TextEncoder().encode("more");
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        } finally {
          released = true;
        }
      }
      const operation = Operation.start({ label: "upload", timeoutMs: 600 });

      const error = await failure(
        transport.send(request("", { url: raw.url, method: "POST", body: endless(), operation })),
      );
      const [socket] = raw.sockets;
      if (socket?.closed === false) await once(socket, "close");

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_TIMEOUT", "unknown"]);
      await vi.waitFor(() => expect(released).toBe(true), PATIENCE);
    });
  });

  describe("a caller who gives up", { concurrent: false }, () => {
    it("has sent nothing when it was before", proves("transport/abort"), async () => {
      const before = server.connections;
      const reason = new Error("changed my mind");

      const error = await failure(transport.send(request("/eight", { signal: AbortSignal.abort(reason) })));

      expect([error.code, error.sent, error.retry, error.cause]).toEqual([
        "ERR_TRANSPORT_ABORTED",
        "no",
        "never",
        reason,
      ]);
      expect(server.connections).toBe(before);
    });

    it("has sent nothing while connecting, and does not wait for it", proves("transport/abort"), async () => {
      await using raw = await startRawServer(() => {});
      const controller = new AbortController();
      const work = transport.send(
        request("", { url: new URL(`https://127.0.0.1:${raw.port}/`), signal: controller.signal }),
      );
      await vi.waitFor(() => expect(raw.sockets.length).toBe(1), PATIENCE);
      controller.abort();

      const error = await failure(work);

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_ABORTED", "no"]);
    });

    it("has sent nothing while waiting for a free connection", proves("transport/abort"), async () => {
      const agent = wire.dispatcher({ connections: 1 });
      const narrow = createUndiciTransport({ dispatcher: agent });
      const first = await narrow.send(request("/stalls"));
      const before = server.seen.length;
      const controller = new AbortController();
      const waiting = narrow.send(request("/eight", { signal: controller.signal }));
      controller.abort();

      const error = await failure(waiting);
      await first.cancel();
      await agent.close();

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_ABORTED", "no"]);
      expect(server.seen.length).toBe(before);
    });

    it("closes the connection while the head is awaited", proves("transport/abort"), async () => {
      const controller = new AbortController();
      const before = server.seen.length;
      const work = transport.send(request("/silent", { signal: controller.signal }));
      await server.waitFor(before + 1);
      controller.abort();

      const error = await failure(work);

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_ABORTED", "unknown"]);
      await gone;
    });

    it("closes the connection while the body is read", proves("transport/abort"), async () => {
      const controller = new AbortController();
      const response = await transport.send(request("/ticks", { signal: controller.signal }));
      const reading = response.text();
      controller.abort();

      const error = await failure(reading);

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_ABORTED", "yes"]);
      await gone;
    });

    it("leaves a finished response readable", proves("transport/abort"), async () => {
      const controller = new AbortController();
      const response = await transport.send(request("/eight", { signal: controller.signal }));
      controller.abort();

      expect(await response.text()).toBe("12345678");
    });

    it(
      "leaves nothing behind in a storm of them",
      proves("transport/abort", "transport/body-released"),
      async () => {
        await using stormy = await wire.server({
          handler: async (_seen, exchange) => {
            exchange.response.write("begun");
            await new Promise((resolve) => setImmediate(resolve));
            exchange.response.end("x".repeat(200_000));
          },
        });
        await using hurried = wire.transport();
        const shared = new AbortController();
        const outcomes = new Map<string, number>();

        const round = async (index: number) => {
          const leaving = new AbortController();
          const signal = index % 4 === 0 ? shared.signal : leaving.signal;
          const operation = Operation.start({
            label: "storm",
            timeoutMs: index % 3 === 0 ? index % 20 : 60_000,
          });
          setTimeout(() => leaving.abort(), index % 7);
          const outcome = await hurried
            .send({ method: "GET", url: stormy.url, headers: [], signal, operation })
            .then(async (response) => {
              if (index % 5 === 0) return response.cancel().then(() => "cancelled");
              return response.bytes().then(({ byteLength }) => (byteLength === 200_005 ? "whole" : "torn"));
            })
            .catch((error: { code: string }) => error.code);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        };
        for (let wave = 0; wave < 10; wave += 1) {
          await Promise.all(Array.from({ length: 40 }, (_, index) => round(index)));
        }

        expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(400);
        expect(new Set(outcomes.keys())).toEqual(
          new Set(["whole", "cancelled", "ERR_TRANSPORT_ABORTED", "ERR_TRANSPORT_TIMEOUT"]),
        );
        expect(getEventListeners(shared.signal, "abort").length).toBe(0);
        await hurried[Symbol.asyncDispose]();
        await vi.waitFor(() => expect(stormy.openConnections).toBe(0), PATIENCE);
      },
    );
  });
});
