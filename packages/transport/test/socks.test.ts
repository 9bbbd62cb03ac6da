import { expectNoSecret, proves, selfSignedCa, startScriptedServer } from "@hawser/test-kit";
import type { Dispatcher } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { createDispatcher, createUndiciTransport, type HttpRequest } from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startRawServer } from "./support/raw-server.ts";
import { type SocksProxyOptions, startSocksProxy } from "./support/socks-proxy.ts";

const made: Dispatcher[] = [];
afterEach(async () => {
  for (const dispatcher of made.splice(0)) await dispatcher.destroy();
});

const through = (port: number, more: { login?: string; scheme?: string; ca?: string } = {}) => {
  const { login = "", scheme = "socks5", ca = [] } = more;
  const dispatcher = createDispatcher({
    env: { ALL_PROXY: `${scheme}://${login}127.0.0.1:${port}` },
    proxyLoopback: true,
    connectTimeoutMs: 300,
    ca,
  });
  made.push(dispatcher);
  return createUndiciTransport({ dispatcher });
};
const get = (url: string | URL): HttpRequest => ({ method: "GET", url: new URL(url), headers: [] });

describe("a SOCKS5 proxy", () => {
  it.each<[string, SocksProxyOptions]>([
    ["at once", {}],
    ["byte by byte", { trickle: true }],
  ])("that answers %s resolves names and carries http", proves("transport/socks"), async (_name, options) => {
    await using server = await startScriptedServer({ handler: () => ({ body: "through" }) });
    await using proxy = await startSocksProxy(options);
    const transport = through(proxy.port);

    for (let round = 0; round < 3; round += 1) {
      const response = await transport.send(get(`http://nowhere.example:${server.port}/path`));
      expect(await response.text()).toBe("through");
      await new Promise((resolve) => setImmediate(resolve));
    }

    // One tunnel, kept.
    expect(proxy.seen).toEqual([`nowhere.example:${server.port}`]);
    expect(server.seen[0]?.path).toBe("/path");
  });

  it("carries https, and the certificate is the server's", proves("transport/socks"), async () => {
    const ca = await selfSignedCa();
    await using server = await startScriptedServer({
      tls: await ca.issue(["nowhere.example"]),
      handler: () => ({ body: "sealed" }),
    });
    await using proxy = await startSocksProxy();
    const url = `https://nowhere.example:${server.port}/`;

    expect(await (await through(proxy.port, { ca: ca.pem }).send(get(url))).text()).toBe("sealed");
    expect((await failure(through(proxy.port).send(get(url)))).code).toBe("ERR_TRANSPORT_TLS_UNTRUSTED");
  });

  it("is told addresses as addresses", proves("transport/socks"), async () => {
    await using server = await startScriptedServer();
    await using proxy = await startSocksProxy();
    const transport = through(proxy.port, { scheme: "socks5h" });

    await (await transport.send(get(`http://127.0.0.1:${server.port}/`))).bytes();
    await (await transport.send(get(`http://[2001:db8::1]:${server.port}/`))).bytes();

    expect(proxy.seen).toEqual([
      `127.0.0.1:${server.port}`,
      `32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1:${server.port}`,
    ]);
  });

  it("gets the credentials of its URL", proves("transport/socks"), async () => {
    await using server = await startScriptedServer();
    await using proxy = await startSocksProxy({ login: "us er:p@ss" });

    await (
      await through(proxy.port, { login: "us%20er:p%40ss@" }).send(get(`http://a.example:${server.port}/`))
    ).bytes();

    expect(proxy.logins).toEqual(["us er:p@ss"]);
  });

  it.each(["", "user:planted-password@"])(
    "that wants other credentials than %j is told apart",
    proves("transport/proxy-faults", "transport/no-secrets"),
    async (login) => {
      await using proxy = await startSocksProxy({ login: "user:right" });

      const error = await failure(through(proxy.port, { login }).send(get("http://a.example/")));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_PROXY_AUTH", "no", "never"]);
      expectNoSecret(error, ["planted-password"]);
    },
  );

  it.each([
    [1, "general failure"],
    [2, "not allowed by its rules"],
    [5, "connection refused"],
    [99, "reply 99"],
  ])("that refuses with %i says why", proves("transport/proxy-faults"), async (refuseWith, why) => {
    await using proxy = await startSocksProxy({ refuseWith });

    const error = await failure(through(proxy.port).send(get("https://a.example/")));

    expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_PROXY", "no", "after"]);
    expect(String((error.cause as Error).message)).toContain(why);
  });

  it.each(["greeting", "connect"] as const)(
    "that falls silent after the %s is given up",
    proves("transport/proxy-faults"),
    async (silentFrom) => {
      await using proxy = await startSocksProxy({ silentFrom });

      const error = await failure(through(proxy.port).send(get("http://a.example/")));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_CONNECT_TIMEOUT", "no"]);
    },
  );

  it.each<[string, string]>([
    ["hangs up", ""],
    ["speaks something else", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ])("that %s is told apart", proves("transport/proxy-faults"), async (_name, text) => {
    await using raw = await startRawServer((socket) => {
      socket.once("data", () => socket.end(text));
    });

    const error = await failure(through(raw.port).send(get("http://a.example/")));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_PROXY", "no"]);
  });

  it("that is not there is told apart", proves("transport/proxy-faults"), async () => {
    const raw = await startRawServer(() => {});
    await raw[Symbol.asyncDispose]();

    const error = await failure(through(raw.port).send(get("http://a.example/")));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_PROXY", "no"]);
  });
});
