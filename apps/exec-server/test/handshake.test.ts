import { proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawClient } from "./support/raw-client.ts";
import { startServer, type TestServer } from "./support/start-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const start = { processId: "p", argv: ["/bin/true"], cwd: "file:///", env: {}, tty: false };

describe("the handshake", () => {
  it(
    "comes before everything, and each wrong step has its own error",
    proves("exec-server/handshake"),
    async () => {
      await using client = await RawClient.open(server.url);
      expect((await client.call("process/start", {})).error?.code).toBe(-32602);
      expect((await client.call("fs/nope", {})).error?.code).toBe(-32601);
      expect((await client.call("process/start", start)).error).toEqual({
        code: -32600,
        message: "client must call initialize before using exec methods",
      });
      expect((await client.call("initialize", { clientName: 7 })).error?.code).toBe(-32602);
      const { result } = await client.call("initialize", { clientName: "test", more: true });
      expect(result).toMatchObject({
        sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        environmentInfo: {
          shell: { name: expect.any(String), path: expect.any(String) },
          cwd: expect.stringMatching(/^file:\/\/\//),
          capabilities: { httpHeaderEnvVars: true, httpRequestCancel: true, httpResponseWindow: true },
        },
      });
      expect((await client.call("environment/status")).error).toEqual({
        code: -32600,
        message: "client must send initialized before using environment status methods",
      });
      client.say({ method: "initialized" });
      client.say({ method: "initialized", params: {} });
      expect((await client.call("environment/status", {})).result).toEqual({ status: "ready" });
      expect((await client.call("environment/info", null)).result).toEqual(result?.["environmentInfo"]);
      expect((await client.call("initialize", { clientName: "x" })).error).toEqual({
        code: -32600,
        message: "initialize may only be sent once per connection",
      });
    },
  );

  it.each([
    [{ method: "initialized" }, "initialized before initialize"],
    [{ method: "bogus/notification" }, "unknown notification"],
    [{ method: "initialize", params: { clientName: "x" } }, "unknown notification"],
    [{ id: 99, result: {} }, "reply to a request that was not made"],
  ])("closes with 1002 and a reason on %j", proves("exec-server/handshake"), async (message, reason) => {
    await using client = await RawClient.open(server.url);
    client.say(message);
    expect(await client.closed).toEqual({ code: 1002, reason });
  });

  it("answers what it cannot read with id -1 and stays", async () => {
    await using client = await RawClient.ready(server.url);
    for (const text of ["{", "[]", "7", '{"id":null,"method":"x"}', '{"id":1.5,"method":"x"}'])
      client.say(text);
    client.socket.send(
      Buffer.from(JSON.stringify({ id: "binary", method: "environment/status", params: {} })),
    );
    await client.waitFor((one) => one.id === "binary");
    expect(client.heard.filter((one) => one.id === -1).map((one) => one.error?.code)).toEqual([
      -32700, -32600, -32600, -32600, -32600,
    ]);
  });
});

describe("a session", () => {
  it("goes on without its connection and is read by the next one", proves("exec-server/resume"), async () => {
    const first = await RawClient.open(server.url);
    const { result } = await first.call("initialize", { clientName: "test" });
    const sessionId = result?.["sessionId"];
    first.say({ method: "initialized", params: {} });
    await first.call("process/start", {
      ...start,
      argv: ["/bin/sh", "-c", "echo before; read x; echo after $x"],
      env: { PATH: "/bin:/usr/bin" },
      pipeStdin: true,
    });
    await first.waitFor((one) => one.method === "process/output");

    await using taken = await RawClient.open(server.url);
    expect(
      (await taken.call("initialize", { clientName: "t", resumeSessionId: sessionId })).error?.code,
    ).toBe(-32010);
    await first[Symbol.asyncDispose]();

    await using second = await RawClient.open(server.url);
    let resumed = await second.call("initialize", { clientName: "t", resumeSessionId: sessionId });
    // The server may not have noticed yet that the first connection is gone.
    while (resumed.error?.code === -32010) {
      resumed = await second.call("initialize", { clientName: "t", resumeSessionId: sessionId });
    }
    expect(resumed.result).toMatchObject({ sessionId });
    second.say({ method: "initialized", params: {} });
    const write = { processId: "p", chunk: Buffer.from("x\n").toString("base64"), writeId: "1" };
    expect((await second.call("process/write", write)).result).toEqual({ status: "accepted" });
    const told = await second.process("p");
    expect(told.map((one) => one.params.seq)).toEqual([2, 3, 4]);
    const { result: all } = await second.call("process/read", { processId: "p" });
    expect(all).toMatchObject({ nextSeq: 5, exited: true, exitCode: 0, closed: true });
    expect(all?.["chunks"]).toMatchObject([{ seq: 1 }, { seq: 2 }]);
  });

  it(
    "that is unknown is a typed error, and the connection can still begin a new one",
    proves("exec-server/resume"),
    async () => {
      await using client = await RawClient.open(server.url);
      const { error } = await client.call("initialize", { clientName: "t", resumeSessionId: "nope" });
      expect(error).toMatchObject({
        code: -32600,
        message: "unknown session id nope",
        data: { code: "ERR_EXEC_SERVER_UNKNOWN_SESSION" },
      });
      expect(
        (await client.call("initialize", { clientName: "t", resumeSessionId: null })).error,
      ).toBeUndefined();
    },
  );
});
