import { once } from "node:events";
import { connect } from "node:net";
import type { MessageChannel } from "@hawser/json-rpc";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { acceptConnection } from "../src/connections/accept-connection.ts";
import { appMethod } from "../src/connections/app-method.ts";
import { ConnectionRegistry } from "../src/connections/connection-registry.ts";
import { createDialect } from "../src/connections/dialect.ts";
import { type ListenWebSocketOptions, listenWebSocket } from "../src/listeners/listen-web-socket.ts";
import { AppClient } from "./app-client.ts";

const hello = appMethod("initialize", z.looseObject({}), (_, { connection }) => {
  connection.introduce({ identity: {} as never, experimental: false, unwantedNotifications: new Set() });
  return {};
});

async function listening(options: Partial<ListenWebSocketOptions> & { handshakeTimeoutMs?: number }) {
  const { handshakeTimeoutMs, ...bounds } = options;
  const connections = new ConnectionRegistry();
  const dialect = createDialect(() => {});
  const listener = await listenWebSocket({
    address: { kind: "ws", host: "127.0.0.1", port: 0 },
    onChannel: (channel: MessageChannel) =>
      acceptConnection({ channel, methods: [hello], connections, dialect, handshakeTimeoutMs }),
    ...bounds,
  });
  return {
    url: listener.banner[1]?.replace("listening on: ", "") as string,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await connections.closeAll(1001, "done");
    },
  };
}

async function refusalOf(url: string): Promise<string> {
  const socket = new WebSocket(url);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  const body: Buffer[] = await response.toArray();
  return `${response.statusCode} ${Buffer.concat(body)}`;
}

describe(listenWebSocket, () => {
  it(
    "answers 503 above its connections, and takes the next one when somebody has left",
    proves("app-server/bounded-listener"),
    async () => {
      await using server = await listening({ maxConnections: 2 });
      const first = await AppClient.connect(server.url);
      await using second = await AppClient.connect(server.url);

      expect(await refusalOf(server.url)).toBe("503 too many connections");
      expect((await fetch(server.url.replace("ws:", "http:").concat("/healthz"))).status).toBe(200);
      await first.close();
      await expect.poll(() => AppClient.connect(server.url).catch(() => undefined)).toBeDefined();
      expect(await second.initialize("a")).toEqual({});
    },
  );

  it("lets go of whoever was turned away and stays", proves("app-server/bounded-listener"), async () => {
    await using server = await listening({ upgradeTimeoutMs: 100, maxConnections: 0 });
    const socket = connect({
      port: Number(new URL(server.url).port),
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    const upgrade = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"];
    const key = `sec-websocket-key: ${Buffer.alloc(16).toString("base64")}`;
    socket.write(["GET / HTTP/1.1", "host: 127.0.0.1", ...upgrade, key, "", ""].join("\r\n"));
    await once(socket.resume(), "end");
    // Its own side is still open; writing is how it learns that nobody is there any more.
    const failed = once(socket, "error");
    const writing = setInterval(() => socket.write("x"), 10);
    expect((await failed)[0]).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) });
    clearInterval(writing);
  });

  it.each([
    ["nothing", ""],
    ["half a head", "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n"],
  ])("ends a connection that sends %s", proves("app-server/bounded-listener"), async (_what, text) => {
    await using server = await listening({ upgradeTimeoutMs: 100 });
    await using upgraded = await AppClient.connect(server.url);
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.write(text);
    const answer = (await socket.setEncoding("utf8").toArray()).join("");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(await upgraded.initialize("a")).toEqual({});
  });
});

describe(acceptConnection, () => {
  it(
    "disconnects a client with 1008 that does not initialise, and only that one",
    proves("app-server/bounded-listener"),
    async () => {
      await using server = await listening({ handshakeTimeoutMs: 100 });
      const patient = await AppClient.connect(server.url);
      await patient.initialize("a");
      const silent = await AppClient.connect(server.url);
      expect(await silent.closed).toEqual({
        code: 1008,
        reason: "ERR_APP_SERVER_HANDSHAKE_TIMEOUT: no initialize in time",
      });
      await expect(patient.request("nope")).rejects.toMatchObject({ code: -32601 });
      await patient.close();
    },
  );
});
