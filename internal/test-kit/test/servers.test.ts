import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, it } from "vitest";
import { selfSignedCa } from "../src/self-signed-ca.ts";
import { startInterceptingProxy } from "../src/start-intercepting-proxy.ts";
import { startScriptedServer } from "../src/start-scripted-server.ts";

describe(startScriptedServer, () => {
  it("records what arrived and answers from the script", async () => {
    await using server = await startScriptedServer({
      handler: (seen, { count }) => ({ status: 201, json: { count, path: seen.path } }),
    });
    const response = await fetch(new URL("/a?b=1", server.url), { method: "POST", body: "body" });
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ count: 1, path: "/a?b=1" });
    expect(server.seen).toMatchObject([{ method: "POST", path: "/a?b=1", body: "body", connection: 1 }]);
    expect(server.connections).toBe(1);
  });

  it("writes each piece of an iterable body as it comes", async () => {
    const gate = Promise.withResolvers<void>();
    await using server = await startScriptedServer({
      handler: () => ({
        body: (async function* () {
          yield "one";
          await gate.promise;
          yield "two";
        })(),
      }),
    });
    const response = await fetch(server.url);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect(await reader?.read()).toEqual({ done: false, value: "one" });
    gate.resolve();
    expect(await reader?.read()).toEqual({ done: false, value: "two" });
    expect(await reader?.read()).toMatchObject({ done: true });
  });

  it("hands over the exchange, and tells when the client has gone", async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await startScriptedServer({
      bodies: "leave",
      handler: (_seen, exchange) => {
        exchange.gone.addEventListener("abort", () => gone.resolve());
      },
    });
    const giveUp = new AbortController();
    const response = fetch(server.url, { signal: giveUp.signal });
    await server.waitFor(1);
    giveUp.abort();
    await expect(response).rejects.toThrow();
    await gone.promise;
  });

  it("cuts open connections and goes on serving", async () => {
    await using server = await startScriptedServer({
      handler: (seen) => (seen.path === "/hang" ? undefined : {}),
    });
    const hanging = fetch(new URL("/hang", server.url));
    await server.waitFor(1, (seen) => seen.path === "/hang");
    server.cutConnections();
    await expect(hanging).rejects.toThrow();
    expect((await fetch(server.url)).status).toBe(200);
    expect(server.connections).toBe(2);
  });

  it("ends a wait that can no longer come true", async () => {
    const server = await startScriptedServer();
    const never = expect(server.waitFor(1)).rejects.toThrow("closed after 0 of 1");
    await server.close();
    await never;
  });

  it("serves TLS that a client with our authority trusts, by name and by address, and no other does", async () => {
    const ca = await selfSignedCa();
    await using server = await startScriptedServer({ tls: await ca.issue(["localhost", "127.0.0.1"]) });
    const status = async (host: string, trusted: string | undefined) => {
      const sent = request({ host, port: server.port, agent: false, ...(trusted ? { ca: trusted } : {}) });
      sent.end();
      const [response] = await once(sent, "response");
      response.resume();
      return response.statusCode;
    };
    expect(server.url.href).toBe(`https://localhost:${server.port}/`);
    expect(await status("localhost", ca.pem)).toBe(200);
    expect(await status("127.0.0.1", ca.pem)).toBe(200);
    await expect(status("localhost", undefined)).rejects.toThrow(/certificate/);
    await expect(status("localhost", (await selfSignedCa()).pem)).rejects.toThrow(/certificate/);
  });
});

describe(startInterceptingProxy, () => {
  it("answers for a public host name through a tunnel", async () => {
    await using proxy = await startInterceptingProxy({
      handler: (seen) => ({ json: { host: seen.url.host }, headers: { "x-test": "1" } }),
    });
    const tunnel = connect(Number(proxy.url.port), "127.0.0.1");
    tunnel.write("CONNECT chat.example:443 HTTP/1.1\r\nHost: chat.example:443\r\n\r\n");
    const [established] = await once(tunnel, "data");
    expect(String(established)).toContain("200");
    const secure = connectTls({ socket: tunnel, servername: "chat.example", ca: proxy.caPem });
    secure.write("GET /x HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of secure) text += chunk;
    expect(text).toContain('{"host":"chat.example"}');
    expect(text.toLowerCase()).toContain("x-test: 1");
    expect(proxy.seen).toMatchObject([{ method: "GET", headers: { host: "chat.example" } }]);
    tunnel.destroy();
  });
});
