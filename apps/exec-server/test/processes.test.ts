import { readFileSync } from "node:fs";
import { proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Message, outputOf, RawClient } from "./support/raw-client.ts";
import { spawnServer, startServer, type TestServer } from "./support/start-server.ts";

let server: TestServer;
let client: RawClient;
beforeAll(async () => {
  server = await startServer(["--insecure-no-auth"], { HAWSER_ENV_VISIBLE: "1", HAWSER_ENV_TOKEN: "2" });
  client = await RawClient.ready(server.url);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const PATH = "/bin:/usr/bin";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

let count = 0;
async function start(command: string, more: object = {}): Promise<{ processId: string; reply: Message }> {
  const processId = `p${++count}`;
  const params = {
    processId,
    argv: ["/bin/sh", "-c", command],
    cwd: "file:///tmp",
    env: { PATH },
    tty: false,
  };
  return { processId, reply: await client.call("process/start", { ...params, ...more }) };
}

describe("process/start", () => {
  it(
    "tells output, exit and close in one sequence behind its answer",
    proves("exec-server/sequence"),
    async () => {
      const { processId, reply } = await start("printf out; printf err >&2; exit 3");
      expect(reply.result).toEqual({ processId, sandboxType: "none" });
      const told = await client.process(processId);
      expect(told.map((one) => one.params.seq)).toEqual([1, 2, 3, 4]);
      expect([outputOf(told, "stdout"), outputOf(told, "stderr")]).toEqual(["out", "err"]);
      expect(told.slice(2)).toMatchObject([
        { method: "process/exited", params: { exitCode: 3, sandboxDenied: false } },
        { method: "process/closed" },
      ]);
      expect(client.heard.indexOf(reply)).toBeLessThan(client.heard.indexOf(told[0] as Message));
    },
  );

  it(
    "keeps the order of a long output, in pieces of 8192 bytes at most",
    proves("exec-server/sequence"),
    async () => {
      const { processId } = await start("seq 1 100000");
      const told = await client.process(processId);
      expect(told.map((one) => one.params.seq)).toEqual(told.map((_, index) => index + 1));
      const sizes = told
        .filter((one) => one.params.chunk)
        .map((one) => Buffer.from(one.params.chunk, "base64").length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(8_192);
      expect(outputOf(told, "stdout")).toBe(
        Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join(""),
      );
    },
  );

  it(
    "waits with close until a grandchild lets go of the output",
    proves("exec-server/sequence"),
    async () => {
      const { processId } = await start("sleep 1000 & exit 0");
      const exited = await client.waitFor(
        (one) => one.method === "process/exited" && one.params.processId === processId,
      );
      expect(exited.params.seq).toBe(1);
      await client.call("process/terminate", { processId });
      expect((await client.process(processId)).map((one) => one.method)).toEqual([
        "process/exited",
        "process/closed",
      ]);
    },
  );

  it.each([
    [{ sandbox: { permissions: { type: "managed" } } }],
    [{ enforceManagedNetwork: true }],
    [{ managedNetwork: {} }],
    [{ networkProxy: {} }],
  ])("refuses what it cannot confine: %j", proves("exec-server/fail-closed"), async (more) => {
    const { processId, reply } = await start("echo ran", more);
    expect(reply.error).toMatchObject({
      code: -32600,
      data: { code: "ERR_EXEC_SERVER_SANDBOX_UNSUPPORTED" },
    });
    expect((await client.call("process/read", { processId })).error?.code).toBe(-32600);
  });

  it("names what is wrong and leaves the id free", async () => {
    const { processId, reply } = await start("", { argv: ["/nope"] });
    expect(reply.error).toEqual({ code: -32603, message: "No such file or directory (os error 2)" });
    const again = { processId, argv: ["/bin/true"], cwd: "file:///tmp", env: {}, tty: false };
    expect((await client.call("process/start", { ...again, cwd: "file:///nope" })).error?.code).toBe(-32603);
    expect((await client.call("process/start", { ...again, tty: true, argv: ["nope"] })).error?.code).toBe(
      -32603,
    );
    expect((await client.call("process/start", { ...again, argv: [] })).error?.message).toContain(
      "argv must not be empty",
    );
    expect((await client.call("process/start", { ...again, cwd: "/tmp" })).error?.message).toContain(
      "relative URL",
    );
    expect((await client.call("process/start", { ...again, cwd: "http://x/" })).error?.message).toContain(
      "scheme `http`",
    );
    expect((await client.call("process/start", { ...again, cwd: "file://host/a" })).error?.code).toBe(-32600);
    expect((await client.call("process/start", again)).result).toMatchObject({ processId });
    expect((await client.call("process/start", again)).error?.message).toBe(
      `process ${processId} already exists`,
    );
  });

  it(
    "gives a child exactly its environment, or what the policy lets through",
    proves("exec-server/child-environment"),
    async () => {
      const names = async (more: object): Promise<string[]> => {
        const { processId } = await start("", { argv: ["/usr/bin/env"], env: { OWN: "1" }, ...more });
        return outputOf(await client.process(processId), "stdout")
          .trim()
          .split("\n")
          .map((line) => line.split("=")[0] ?? "");
      };
      expect(await names({})).toEqual(["OWN"]);
      const all = await names({ envPolicy: { inherit: "all" } });
      expect(all).toContain("HAWSER_ENV_VISIBLE");
      expect(all).not.toContain("HAWSER_ENV_TOKEN");
      const policy = {
        inherit: "all",
        ignoreDefaultExcludes: true,
        exclude: ["*visible"],
        set: { HAWSER_ENV_SET: "1" },
        includeOnly: ["hawser_env_*"],
      };
      expect((await names({ envPolicy: policy })).sort()).toEqual([
        "HAWSER_ENV_SET",
        "HAWSER_ENV_TOKEN",
        "OWN",
      ]);
    },
  );
});

describe("process/read", () => {
  it("waits for news and returns at least one piece whatever the bound", async () => {
    const { processId } = await start("read x; echo one; read x; echo two", { pipeStdin: true });
    const waiting = client.call("process/read", { processId, waitMs: 60_000 });
    const write = (writeId: string) =>
      client.call("process/write", { processId, chunk: base64("\n"), writeId });
    await write("1");
    expect((await waiting).result).toMatchObject({
      chunks: [{ seq: 1, stream: "stdout", chunk: base64("one\n") }],
      nextSeq: 2,
      exited: false,
      exitCode: null,
      closed: false,
      failure: null,
      sandboxDenied: false,
    });
    await write("2");
    await client.process(processId);
    expect((await client.call("process/read", { processId, maxBytes: 1 })).result).toMatchObject({
      chunks: [{ seq: 1 }],
      nextSeq: 2,
    });
    expect(
      (await client.call("process/read", { processId, afterSeq: 4, waitMs: 60_000 })).result,
    ).toMatchObject({ chunks: [], nextSeq: 5, closed: true });
    expect((await client.call("process/read", { processId: "nope" })).error).toEqual({
      code: -32600,
      message: "unknown process id nope",
    });
  });
});

describe("process/write", () => {
  it("reaches a terminal, once per write id", proves("exec-server/terminal"), async () => {
    const { processId } = await start(
      "tty -s && stty size && stty -echo && echo ready && read a && read b && echo got $a $b",
      { tty: true },
    );
    await client.waitFor(
      (one) => one.method === "process/output" && Buffer.from(one.params.chunk, "base64").includes("ready"),
    );
    const write = (writeId: string, text: string) =>
      client.call("process/write", { processId, chunk: base64(text), writeId });
    expect((await write("1", "x\n")).result).toEqual({ status: "accepted" });
    expect((await write("1", "x\n")).result).toEqual({ status: "accepted" });
    expect((await write("2", "y\n")).result).toEqual({ status: "accepted" });
    const text = outputOf(await client.process(processId), "pty");
    expect(text).toContain("24 80");
    expect(text).toContain("got x y");
  });

  it("says when there is nobody to write to", async () => {
    const write = async (processId: string) =>
      (await client.call("process/write", { processId, chunk: "", writeId: "1" })).result;
    const { processId } = await start("exit 0", { pipeStdin: true });
    await client.process(processId);
    expect(await write(processId)).toEqual({ status: "stdinClosed" });
    const { processId: closed } = await start("sleep 1000");
    expect(await write(closed)).toEqual({ status: "stdinClosed" });
    await client.call("process/terminate", { processId: closed });
    expect(await write("nope")).toEqual({ status: "unknownProcess" });
    expect((await client.call("process/write", { processId, chunk: "?", writeId: "1" })).error?.code).toBe(
      -32602,
    );
  });
});

describe("process/signal and process/terminate", () => {
  it("interrupts the group with 130", async () => {
    // Not through a shell: one that is about to fork keeps the signal to itself.
    const { processId } = await start("", { argv: ["/bin/sleep", "1000"] });
    expect((await client.call("process/signal", { processId, signal: "interrupt" })).result).toEqual({});
    expect(await client.process(processId)).toMatchObject([{ params: { exitCode: 130 } }, {}]);
    expect((await client.call("process/signal", { processId: "nope", signal: "interrupt" })).result).toEqual(
      {},
    );
  });

  it("kills the whole group with 137, traps or not", proves("exec-server/whole-group"), async () => {
    const { processId } = await start("trap '' TERM INT HUP; sleep 1000 & echo up; wait");
    await client.waitFor((one) => one.method === "process/output" && one.params.processId === processId);
    expect((await client.call("process/terminate", { processId })).result).toEqual({ running: true });
    expect((await client.process(processId)).at(-2)).toMatchObject({ params: { exitCode: 137 } });
    expect((await client.call("process/terminate", { processId })).result).toEqual({ running: false });
    expect((await client.call("process/terminate", { processId: "nope" })).result).toEqual({
      running: false,
    });
  });
});

describe("a client that stops reading", () => {
  it.skipIf(process.platform !== "linux")(
    "stops the process and loses nothing",
    proves("exec-server/slow-reader"),
    async () => {
      await using slow = await RawClient.ready(server.url);
      const total = 40_000_000;
      slow.socket.pause();
      slow.say({
        id: "s",
        method: "process/start",
        params: {
          processId: "flood",
          argv: ["/bin/sh", "-c", `head -c ${total} /dev/zero`],
          cwd: "file:///",
          env: { PATH },
          tty: false,
        },
      });
      await settled(server.child.pid);
      // The other connection is not held up meanwhile, and the server's memory stays where it was.
      expect((await client.call("environment/status", {})).error).toBeUndefined();
      const rssKib = Number(
        /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))?.[1],
      );
      expect(rssKib).toBeLessThan(300_000);
      expect(slow.heard.some((one) => one.method === "process/exited")).toBe(false);
      slow.socket.resume();
      const told = await slow.process("flood");
      const bytes = told.reduce((sum, one) => sum + Buffer.from(one.params.chunk ?? "", "base64").length, 0);
      expect(bytes).toBe(total);
      expect(told.map((one) => one.params.seq)).toEqual(told.map((_, index) => index + 1));
    },
  );
});

/** Resolves when the server has stopped reading: it has done all it can. */
async function settled(pid: number): Promise<void> {
  const readBytes = (): string => /rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1] ?? "";
  for (let last = "", same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = readBytes();
    same = now === last && Number(now) > 1_000_000 ? same + 1 : 0;
    last = now;
  }
}

describe("stdio", () => {
  it(
    "answers what was asked before the end of stdin, then ends with its children",
    proves("exec-server/stdio-drain", "exec-server/whole-group"),
    async () => {
      await using child = spawnServer(["--listen", "stdio://"]);
      const lines = [
        { id: 1, method: "initialize", params: { clientName: "t" } },
        { method: "initialized" },
        {
          id: 2,
          method: "process/start",
          params: { processId: "p", argv: ["/bin/sleep", "1000"], cwd: "file:///", env: {}, tty: false },
        },
        { id: 3, method: "environment/status", params: {} },
      ];
      child.process.stdin?.end(`\r\n${lines.map((line) => JSON.stringify(line)).join("\r\n")}`);
      expect(await child.exited).toEqual({ code: 0, signal: null });
      const replies = child.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Message);
      expect(replies.map((one) => one.id).sort()).toEqual([1, 2, 3]);
      expect(replies.every((one) => one.error === undefined)).toBe(true);
    },
  );
});
