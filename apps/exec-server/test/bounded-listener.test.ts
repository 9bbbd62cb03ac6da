import { once } from "node:events";
import { connect } from "node:net";
import { proves, spawnChild } from "@hawser/test-kit";
import pino from "pino";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { composeExecServer } from "../src/compose.ts";
import { listenWebSocket, type WebSocketListenOptions } from "../src/listen/listen-web-socket.ts";
import { RawClient } from "./support/raw-client.ts";

const here = { host: "127.0.0.1", port: 0, checkBearer: () => undefined, allowedHosts: [] };

async function listening(options: Partial<WebSocketListenOptions> & { handshakeTimeoutMs?: number }) {
  const { handshakeTimeoutMs, ...bounds } = options;
  const exec = composeExecServer({
    config: { affinityHosts: [] },
    ...{ env: {}, cwd: "/", platform: process.platform, version: "0", maxConcurrentRequests: 8 },
    logger: pino({ enabled: false }),
  });
  const listener = await listenWebSocket({
    ...{ ...here, ...bounds },
    onConnection: (channel) => void exec.serve(channel, { handshakeTimeoutMs }),
  });
  return {
    url: listener.url,
    async [Symbol.asyncDispose]() {
      await Promise.all([exec.close(), listener.close()]);
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
    proves("exec-server/bounded-listener"),
    async () => {
      await using server = await listening({ maxConnections: 2 });
      const first = await RawClient.ready(server.url);
      await using second = await RawClient.ready(server.url);

      expect(await refusalOf(server.url)).toBe("503 too many connections");
      expect((await fetch(server.url.replace("ws:", "http:").concat("/readyz"))).status).toBe(200);
      await first[Symbol.asyncDispose]();
      await expect.poll(() => RawClient.ready(server.url).catch(() => undefined)).toBeDefined();
      expect((await second.call("environment/status", {})).error).toBeUndefined();
    },
  );

  it("lets go of whoever was turned away and stays", proves("exec-server/bounded-listener"), async () => {
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
  ])("ends a connection that sends %s", proves("exec-server/bounded-listener"), async (_what, text) => {
    await using server = await listening({ upgradeTimeoutMs: 100 });
    await using upgraded = await RawClient.ready(server.url);
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.write(text);
    const answer = (await socket.setEncoding("utf8").toArray()).join("");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect((await upgraded.call("environment/status", {})).error).toBeUndefined();
  });

  it.each([
    ["says nothing", () => {}],
    ["stops halfway", (client: RawClient) => void client.call("initialize", { clientName: "c" })],
  ])(
    "disconnects a client with 1008 that %s instead of shaking hands",
    proves("exec-server/bounded-listener"),
    async (_what, act) => {
      await using server = await listening({ handshakeTimeoutMs: 100 });
      await using patient = await RawClient.ready(server.url);
      const client = await RawClient.open(server.url);
      act(client);
      expect(await client.closed).toEqual({
        code: 1008,
        reason: "ERR_EXEC_SERVER_HANDSHAKE_TIMEOUT: no handshake in time",
      });
      expect((await patient.call("environment/status", {})).error).toBeUndefined();
    },
  );
});

describe("stdio", () => {
  it(
    "says why and ends with 1 when the client sends too much at once",
    proves("exec-server/stdio-drain"),
    async () => {
      await using child = spawnChild({
        script: new URL("../src/main.ts", import.meta.url),
        args: ["--listen", "stdio://"],
      });
      const stdin = child.process.stdin;
      stdin?.on("error", () => {});
      const piece = Buffer.alloc(1024 * 1024, "x");
      for (let megabytes = 0; megabytes <= 64; megabytes += 1) stdin?.write(piece);
      expect(await child.exited).toEqual({ code: 1, signal: null });
      expect(child.stderr).toContain("the client was disconnected (1009): message too large");
    },
  );
});
