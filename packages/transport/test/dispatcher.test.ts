import { mkdir } from "node:fs/promises";
import { expectNoSecret, proves, selfSignedCa, startScriptedServer, temporaryHome } from "@hawser/test-kit";
import type { Dispatcher } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import {
  createDispatcher,
  createUndiciTransport,
  type DispatcherOptions,
  type HttpRequest,
  TransportError,
} from "../src/index.ts";
import { failure } from "./support/failure.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";
import { startRawServer } from "./support/raw-server.ts";

const made: Dispatcher[] = [];
afterEach(async () => {
  for (const dispatcher of made.splice(0)) await dispatcher.destroy();
});

const transportWith = (options: DispatcherOptions) => {
  const dispatcher = createDispatcher(options);
  made.push(dispatcher);
  return createUndiciTransport({ dispatcher });
};
const get = (url: URL, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url,
  headers: [],
  ...more,
});

describe("a proxy from the environment", () => {
  it("forwards http", proves("transport/proxy"), async () => {
    await using server = await startScriptedServer({ handler: (seen) => ({ body: seen.body }) });
    await using proxy = await startForwardProxy();
    const transport = transportWith({ env: { HTTP_PROXY: proxy.url.href }, proxyLoopback: true });
    const headers = [
      ["x-a", "1"],
      ["x-a", "2"],
    ] as const;

    const response = await transport.send(get(server.url, { method: "POST", headers, body: "through" }));

    expect(await response.text()).toBe("through");
    expect(proxy.seen).toEqual([`POST ${server.url.href}`]);
    expect(server.seen[0]?.headers["host"]).toBe(server.url.host);
    expect(server.seen[0]?.headers["x-a"]).toBe("1, 2");
  });

  it(
    "tunnels https, with trust in the origin's own certificate",
    proves("transport/proxy", "transport/trust"),
    async () => {
      const ca = await selfSignedCa();
      await using server = await startScriptedServer({
        tls: await ca.issue(["localhost"]),
        handler: () => ({ body: "tunnelled" }),
      });
      await using proxy = await startForwardProxy();
      const transport = transportWith({
        env: { https_proxy: proxy.url.host },
        proxyLoopback: true,
        ca: ca.pem,
      });

      const response = await transport.send(get(server.url));

      expect(await response.text()).toBe("tunnelled");
      expect(proxy.seen).toEqual([`CONNECT localhost:${server.port}`]);
    },
  );

  it("gets the credentials of its URL, and the origin does not", proves("transport/proxy"), async () => {
    await using server = await startScriptedServer();
    await using proxy = await startForwardProxy();
    const transport = transportWith({
      env: { ALL_PROXY: `http://user:p%40ss@${proxy.url.host}` },
      proxyLoopback: true,
    });

    await (await transport.send(get(server.url))).bytes();

    expect(proxy.credentials).toEqual([`Basic ${Buffer.from("user:p@ss").toString("base64")}`]);
    expect(server.seen[0]?.headers["proxy-authorization"]).toBeUndefined();
  });

  it.each(["http", "socks5"])(
    "over %s is not shown with its password by an inspected dispatcher",
    proves("transport/no-secrets"),
    async (scheme) => {
      const dispatcher = createDispatcher({
        env: { ALL_PROXY: `${scheme}://user:planted-password@127.0.0.1:1` },
        proxyLoopback: true,
        egress: { reach: "no-metadata" },
      });
      made.push(dispatcher);
      const transport = createUndiciTransport({ dispatcher });
      const error = await failure(transport.send(get(new URL("http://127.0.0.1/"))));

      expect(error.code).toBe("ERR_TRANSPORT_PROXY");
      expectNoSecret(error, ["planted-password"]);
      expectNoSecret(dispatcher, ["planted-password"]);
      expectNoSecret(transport, ["planted-password"]);
    },
  );

  it("is left aside for loopback and for NO_PROXY", proves("transport/proxy"), async () => {
    await using server = await startScriptedServer();
    await using proxy = await startForwardProxy();
    const env = { HTTP_PROXY: proxy.url.href };

    await (await transportWith({ env }).send(get(server.url))).bytes();
    const exempt = { ...env, NO_PROXY: "127.0.0.0/8" };
    await (await transportWith({ env: exempt, proxyLoopback: true }).send(get(server.url))).bytes();

    expect([server.seen.length, proxy.seen.length]).toEqual([2, 0]);
  });

  it.each(["http", "https"])(
    "that wants credentials is told apart for %s",
    proves("transport/proxy-faults"),
    async (scheme) => {
      await using server = await startScriptedServer();
      await using proxy = await startForwardProxy({ refuseWith: 407 });
      const transport = transportWith({ env: { ALL_PROXY: proxy.url.href }, proxyLoopback: true });

      const error = await failure(transport.send(get(new URL(`${scheme}://127.0.0.1:${server.port}/`))));

      expect([error.code, error.retry]).toEqual(["ERR_TRANSPORT_PROXY_AUTH", "never"]);
      expect(server.seen.length).toBe(0);
    },
  );

  it("that refuses to connect is told apart", proves("transport/proxy-faults"), async () => {
    await using proxy = await startForwardProxy({ refuseWith: 502 });
    const transport = transportWith({ env: { HTTPS_PROXY: proxy.url.href }, proxyLoopback: true });

    const error = await failure(transport.send(get(new URL("https://localhost:1/"))));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_PROXY", "no"]);
    expect(error.message).toContain("502");
  });

  it.each(["http", "https"])(
    "that is not there is told apart for %s",
    proves("transport/proxy-faults"),
    async (scheme) => {
      const proxy = await startForwardProxy();
      await proxy[Symbol.asyncDispose]();
      const transport = transportWith({ env: { ALL_PROXY: proxy.url.href }, proxyLoopback: true });

      const error = await failure(transport.send(get(new URL(`${scheme}://localhost:1/`))));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_PROXY", "no", "after"]);
    },
  );

  it(
    "that never answers CONNECT is given up when connecting takes too long",
    proves("transport/proxy-faults"),
    async () => {
      await using proxy = await startForwardProxy({ silent: true });
      const transport = transportWith({
        env: { HTTPS_PROXY: proxy.url.href },
        proxyLoopback: true,
        connectTimeoutMs: 100,
      });

      const error = await failure(transport.send(get(new URL("https://localhost:1/"))));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_CONNECT_TIMEOUT", "no"]);
    },
  );

  it("that hangs up on CONNECT is told apart", proves("transport/proxy-faults"), async () => {
    await using raw = await startRawServer((socket) => {
      socket.once("data", () => socket.destroy());
    });
    const transport = transportWith({ env: { HTTPS_PROXY: raw.url.href }, proxyLoopback: true });

    const error = await failure(transport.send(get(new URL("https://localhost:1/"))));

    expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_PROXY", "no"]);
  });

  it.each([
    [{ HTTPS_PROXY: "http://planted-password:x@" }, "ERR_TRANSPORT_BAD_PROXY", "HTTPS_PROXY"],
    [{ http_proxy: "ftp://planted-password@proxy/" }, "ERR_TRANSPORT_BAD_PROXY", "http_proxy"],
    [{ ALL_PROXY: "socks4://planted-password@proxy:1080" }, "ERR_TRANSPORT_NOT_SUPPORTED", "ALL_PROXY"],
    [{ ALL_PROXY: "socks5://planted-password%ff@proxy" }, "ERR_TRANSPORT_BAD_PROXY", "ALL_PROXY"],
    [{ ALL_PROXY: `socks5://u:planted-${"p".repeat(256)}@proxy` }, "ERR_TRANSPORT_BAD_PROXY", "ALL_PROXY"],
  ])(
    "that cannot be used is refused at once, without its value",
    proves("transport/proxy-faults"),
    (env, code, variable) => {
      const error = thrown(() => createDispatcher({ env }));

      expect(error).toMatchObject({ code, message: expect.stringContaining(variable) });
      expect(String(error)).not.toContain("planted");
    },
  );
});

describe("trust", () => {
  it("is added from every named variable that is set", proves("transport/trust"), async () => {
    await using home = await temporaryHome();
    const [first, second, third] = [await selfSignedCa(), await selfSignedCa(), await selfSignedCa()];
    await mkdir(home.file("certs"));
    await home.write("certs/second.pem", `# a comment\r\n${second.pem}`);
    await home.write("certs/README", "no certificate here");
    await home.write("first.pem", first.pem);
    const transport = transportWith({
      env: { ONE: home.file("first.pem"), FOLDER: home.file("certs"), UNSET: "" },
      caVariables: ["ONE", "FOLDER", "UNSET", "MISSING"],
    });

    for (const ca of [first, second]) {
      await using server = await startScriptedServer({ tls: await ca.issue(["localhost"]) });
      expect((await transport.send(get(server.url))).status).toBe(200);
    }
    await using stranger = await startScriptedServer({ tls: await third.issue(["localhost"]) });
    expect((await failure(transport.send(get(stranger.url)))).code).toBe("ERR_TRANSPORT_TLS_UNTRUSTED");
  });

  it(
    "names the variable and the file of a bundle that cannot be used",
    proves("transport/trust"),
    async () => {
      await using home = await temporaryHome();
      const empty = await home.write("empty.pem", "nothing");
      const broken = await home.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      );

      for (const path of [empty, broken, home.file("missing.pem"), home.path]) {
        if (path === home.path) await (await import("node:fs/promises")).rm(broken);
        const error = thrown(() => createDispatcher({ env: { MY_CA: path }, caVariables: ["MY_CA"] }));

        expect(error).toMatchObject({ code: "ERR_TRANSPORT_BAD_CA", retry: "never" });
        expect(String(error)).toContain("MY_CA");
        expect(String(error)).toContain(JSON.stringify(path));
      }
    },
  );
});

describe("connections", () => {
  it("are never used twice when they are to be fresh", proves("transport/fresh"), async () => {
    await using server = await startScriptedServer();
    const transport = transportWith({ connections: "fresh" });

    for (let round = 0; round < 4; round += 1) await (await transport.send(get(server.url))).bytes();
    await Promise.all(Array.from({ length: 8 }, async () => (await transport.send(get(server.url))).bytes()));

    expect(new Set(server.seen.map((seen) => seen.connection)).size).toBe(12);
    expect(server.seen.every((seen) => seen.headers["connection"] === "close")).toBe(true);
  });

  it("are fresh through a proxy as well", proves("transport/fresh"), async () => {
    const ca = await selfSignedCa();
    await using server = await startScriptedServer({ tls: await ca.issue(["localhost"]) });
    await using proxy = await startForwardProxy();
    const transport = transportWith({
      env: { HTTPS_PROXY: proxy.url.href },
      proxyLoopback: true,
      ca: ca.pem,
      connections: "fresh",
    });

    for (let round = 0; round < 3; round += 1) await (await transport.send(get(server.url))).bytes();

    expect([server.connections, proxy.seen.length]).toEqual([3, 3]);
  });

  it("are at most as many as allowed", async () => {
    await using server = await startScriptedServer();
    const transport = transportWith({ connections: 2 });

    await Promise.all(
      Array.from({ length: 10 }, async () => (await transport.send(get(server.url))).bytes()),
    );

    expect(server.connections).toBeLessThanOrEqual(2);
  });
});

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(TransportError);
    return error;
  }
  throw new Error("nothing was thrown");
}
