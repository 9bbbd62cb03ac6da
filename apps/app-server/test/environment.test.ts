import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createDispatcher } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { createEnvironmentTransport } from "../src/environments/environment-transport.ts";

/** As much of an exec-server as a request needs; a body never ends. */
async function startFakeExecServer() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const connections: WebSocket[] = [];
  server.on("connection", (socket) => {
    connections.push(socket);
    socket.on("message", (data) => {
      const { id, method } = JSON.parse(String(data)) as { id?: number; method: string };
      const result = method === "initialize" ? { sessionId: "s" } : { status: 204, headers: [] };
      if (id !== undefined) socket.send(JSON.stringify({ id, result }));
    });
  });
  return {
    connections,
    url: new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`),
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.terminate();
      server.close();
    },
  };
}

describe(createEnvironmentTransport, () => {
  it("keeps one connection for everybody, and opens another when it has gone", async () => {
    await using exec = await startFakeExecServer();
    const dispatcher = createDispatcher();
    await using transport = createEnvironmentTransport({
      ...{ url: exec.url, clientName: "c", identity: [], dispatcher },
    });
    const ask = async (signal?: AbortSignal): Promise<number> => {
      const url = new URL("http://anywhere.example/");
      const response = await transport.send({ method: "GET", url, headers: [], signal });
      await response.cancel();
      return response.status;
    };
    const impatient = ask(AbortSignal.abort(new Error("left")));
    await expect(impatient).rejects.toThrow("left");

    expect(await Promise.all([ask(), ask(), ask()])).toEqual([204, 204, 204]);
    expect(exec.connections).toHaveLength(1);

    exec.connections[0]?.terminate();
    // The next requests may still meet the connection that is going; none of them is sent twice.
    await expect.poll(() => ask().catch(() => "gone")).toBe(204);
    expect(exec.connections).toHaveLength(2);
    await dispatcher.destroy();
  });

  it("tries again after nobody answered", async () => {
    const exec = await startFakeExecServer();
    const dispatcher = createDispatcher();
    await exec[Symbol.asyncDispose]();
    const transport = createEnvironmentTransport({
      ...{ url: exec.url, clientName: "c", identity: [], dispatcher },
    });
    const request = { method: "GET", url: new URL("http://anywhere.example/"), headers: [] };
    await expect(transport.send(request)).rejects.toMatchObject({ code: "ERR_EXEC_SERVER_CONNECT" });
    await expect(transport.send(request)).rejects.toMatchObject({ code: "ERR_EXEC_SERVER_CONNECT" });
    await transport[Symbol.asyncDispose]();
    await dispatcher.destroy();
  });
});
