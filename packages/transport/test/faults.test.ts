import { proves, selfSignedCa, startScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createDispatcher,
  createUndiciTransport,
  type HttpRequest,
  type HttpTransport,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";
import { startWire, WIRES, type Wire } from "./support/wires.ts";

const transport = createUndiciTransport();
afterAll(() => transport[Symbol.asyncDispose]());

const get = (url: string | URL): HttpRequest => ({ method: "GET", url: new URL(url), headers: [] });

describe("a fault on the way", () => {
  it("is a name that does not resolve", proves("transport/faults"), async () => {
    const error = await failure(transport.send(get("http://no-such-host.invalid/")));

    expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_DNS", "no", "after"]);
  });

  it("is a port where nobody listens", proves("transport/faults"), async () => {
    const raw = await startRawServer(() => {});
    await raw[Symbol.asyncDispose]();

    const error = await failure(transport.send(get(raw.url)));

    expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_REFUSED", "no", "after"]);
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("is a refused name with several addresses", proves("transport/faults"), async () => {
    const raw = await startRawServer(() => {});
    await raw[Symbol.asyncDispose]();

    const error = await failure(transport.send(get(`http://localhost:${raw.port}/`)));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_REFUSED", "no"]);
  });

  it("is a certificate of an unknown authority", proves("transport/faults"), async () => {
    const ca = await selfSignedCa();
    await using server = await startScriptedServer({ tls: await ca.issue(["localhost"]) });

    const error = await failure(transport.send(get(server.url)));

    expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_TLS_UNTRUSTED", "no", "never"]);
    expect(server.seen).toEqual([]);
  });

  it("is a certificate for another name", proves("transport/faults"), async () => {
    const ca = await selfSignedCa();
    await using server = await startScriptedServer({ tls: await ca.issue(["other.example"]) });
    const dispatcher = createDispatcher({ ca: ca.pem });

    const error = await failure(createUndiciTransport({ dispatcher }).send(get(server.url)));
    await dispatcher.destroy();

    expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_TLS_NAME", "no", "never"]);
  });

  it("is a peer that speaks no TLS", proves("transport/faults"), async () => {
    await using raw = await startRawServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });

    const error = await failure(transport.send(get(`https://127.0.0.1:${raw.port}/`)));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_TLS", "no"]);
  });
});

describe.concurrent.each(WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await wire[Symbol.asyncDispose]();
  });
  const answering = (text: string) =>
    wire.raw((socket) => {
      socket.once("data", () => socket.end(text, "latin1"));
    });

  describe("a fault of the server", { concurrent: false }, () => {
    it("is a peer that speaks no HTTP", proves("transport/faults"), async () => {
      await using raw = await answering("SSH-2.0-OpenSSH_9.9\r\n");

      const error = await failure(transport.send(get(raw.url)));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_PROTOCOL", "unknown"]);
    });

    it("is a response head that never ends", proves("transport/faults"), async () => {
      await using raw = await answering(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(1_000_000)}`);

      expect((await failure(transport.send(get(raw.url)))).code).toBe("ERR_TRANSPORT_PROTOCOL");
    });

    it("is a connection that closes without an answer", proves("transport/faults"), async () => {
      await using raw = await answering("");

      const error = await failure(transport.send(get(raw.url)));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_RESET", "unknown", "after"]);
    });

    it.each([
      ["shorter than its length", "content-length: 10\r\n\r\n12345"],
      ["cut within a chunk", "transfer-encoding: chunked\r\n\r\n5\r\n123"],
      ["cut between chunks", "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n"],
    ])("is a body %s", proves("transport/faults"), async (_name, rest) => {
      await using raw = await answering(`HTTP/1.1 200 OK\r\n${rest}`);
      const response = await transport.send(get(raw.url));

      const error = await failure(response.text());

      expect(["ERR_TRANSPORT_RESET", "ERR_TRANSPORT_PROTOCOL"]).toContain(error.code);
      expect([error.sent, error.retry]).toEqual(["yes", "after"]);
    });

    it("is a chunk that is none", proves("transport/faults"), async () => {
      await using raw = await answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n123");
      const response = await transport.send(get(raw.url));

      expect((await failure(response.text())).code).toBe("ERR_TRANSPORT_PROTOCOL");
    });
  });
});
