import { once } from "node:events";
import { stat } from "node:fs/promises";
import { proves, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { AppClient } from "./app-client.ts";
import { startAppServer } from "./start-app-server.ts";

describe("initialize", () => {
  it(
    "comes first, may fail and be tried again, and succeeds once",
    proves("app-server/handshake"),
    async () => {
      await using server = await startAppServer();
      const client = await server.connect();

      await expect(client.request("getAuthStatus", {})).rejects.toMatchObject({
        code: -32600,
        message: "Not initialized",
      });
      await expect(client.initialize("bad\nname")).rejects.toMatchObject({
        code: -32600,
        message: "Invalid clientInfo.name: 'bad\nname'. Must be a valid HTTP header value.",
      });
      const answer = await client.initialize("client_a", "2.5.0");
      expect(answer).toMatchObject({ codexHome: server.home, platformFamily: "unix" });
      expect(answer["userAgent"]).toMatch(/^client_a\/\S+ \(.*\) \S+ \(client_a; 2\.5\.0\)$/);
      await expect(client.initialize("client_a")).rejects.toMatchObject({ message: "Already initialized" });
    },
  );

  it("decides before the next message is looked at", async () => {
    await using server = await startAppServer();
    const client = await server.connect();
    const answers = await Promise.all([client.initialize("a"), client.request("model/list", {})]);
    expect(answers[1]).toMatchObject({ data: [{ isDefault: true }] });
  });
});

describe("requests that cannot be served", () => {
  it("are answered, and the connection stays", async () => {
    await using server = await startAppServer();
    const client = await server.connect("a");
    await expect(client.request("thread/fork", {})).rejects.toMatchObject({
      code: -32601,
      data: { code: "ERR_APP_SERVER_NOT_SUPPORTED" },
    });
    await expect(client.request("constructor", {})).rejects.toMatchObject({ code: -32601 });
    await expect(client.request("getAuthStatus")).rejects.toMatchObject({
      code: -32600,
      message: "Invalid request: missing field `params`",
    });
    await expect(client.request("thread/read", { threadId: 4 })).rejects.toMatchObject({ code: -32600 });
    await expect(client.request("turn/start", { threadId: "zz", input: [] })).rejects.toMatchObject({
      message: "invalid thread id: zz",
    });
    client.raw("not json");
    expect(await client.request("configRequirements/read")).toEqual({ requirements: null });
  });
});

describe("a WebSocket listener", () => {
  const upgrade = async (url: string, headers: Record<string, string>): Promise<string> => {
    const socket = new WebSocket(url, { headers });
    socket.on("error", () => {});
    const [outcome] = await Promise.race([
      once(socket, "open").then(() => ["open"]),
      once(socket, "unexpected-response").then(async ([, response]) => {
        const body: Buffer[] = await response.toArray();
        return [`${response.statusCode} ${Buffer.concat(body)}`.trim()];
      }),
    ]);
    socket.terminate();
    return outcome as string;
  };

  it("turns pages, foreign hosts and strangers away", proves("app-server/guarded-listener"), async () => {
    await using home = await temporaryHome();
    const file = await home.write("bearer", "capability-1234\n");
    await using server = await startAppServer({
      listen: ["--listen", "ws://127.0.0.1:0", "--ws-auth", "capability-token", "--ws-token-file", file],
    });
    const authorization = "Bearer capability-1234";
    const { url } = server;

    expect(await upgrade(url, {})).toBe("401 missing websocket bearer token");
    expect(await upgrade(url, { authorization: "Bearer wrong" })).toBe("401 invalid websocket bearer token");
    expect(await upgrade(url, { authorization: "Basic eDp5" })).toBe("401 invalid authorization header");
    expect(await upgrade(url, { authorization, origin: "http://127.0.0.1" })).toBe("403");
    expect(await upgrade(url, { authorization, host: "evil.example" })).toBe("403");
    expect(await upgrade(url, { authorization: "bearer capability-1234" })).toBe("open");
    expect(await upgrade(`${url}/any/path?x=1`, { authorization, host: "localhost:1" })).toBe("open");

    const http = url.replace("ws:", "http:");
    expect((await fetch(`${http}/healthz`)).status).toBe(200);
    expect((await fetch(`${http}/readyz`, { headers: { origin: "http://a" } })).status).toBe(403);
    expect((await fetch(`${http}/`)).status).toBe(400);
  });
});

describe("a unix socket", () => {
  it("speaks WebSocket, is private, and is gone afterwards", async () => {
    await using home = await temporaryHome();
    const socketPath = home.file("app.sock");
    await using server = await startAppServer({ listen: ["--listen", `unix://${socketPath}`] });
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);

    await using client = await AppClient.connect(`ws+unix:${socketPath}:/`);
    expect(await client.initialize("a")).toMatchObject({ platformFamily: "unix" });

    server.child.kill("SIGTERM");
    expect(await server.exited).toEqual({ code: 0, signal: null });
    await expect(stat(socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes the place of a socket that a killed server left, and of no other file", async () => {
    await using home = await temporaryHome();
    const listen = ["--listen", `unix://${home.file("app.sock")}`];
    await using killed = await startAppServer({ listen });
    killed.child.kill("SIGKILL");
    await killed.exited;
    await using next = await startAppServer({ listen });
    expect(next.stderr()).toContain("listening on");

    await expect(startAppServer({ listen })).rejects.toThrowError(/already in use/);
    const file = await home.write("precious", "x");
    await expect(startAppServer({ listen: ["--listen", `unix://${file}`] })).rejects.toThrowError(/in use/);
  });
});
