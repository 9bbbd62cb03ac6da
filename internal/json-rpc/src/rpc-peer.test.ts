import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { RpcError } from "./errors.ts";
import type { ChannelClose, MessageChannel } from "./message-channel.ts";
import { MessageQueue } from "./message-queue.ts";
import type { RpcDialect } from "./rpc-dialect.ts";
import { type RpcMethod, rpcMethod } from "./rpc-method.ts";
import { createRpcPeer, type RpcPeer, type RpcPeerOptions } from "./rpc-peer.ts";

/** The other side of a channel: what it says, and what it was told. */
class Line implements MessageChannel {
  readonly messages = new MessageQueue({ maxBytes: 1e9, onFull: () => {}, onRoom: () => {} });
  readonly told: string[] = [];
  readonly queuedBytes = 0;
  readonly closed: Promise<ChannelClose>;
  stall: Promise<void> | undefined;
  #close: (how: ChannelClose) => void;
  #watchers: (() => void)[] = [];

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ChannelClose>();
    this.closed = promise;
    this.#close = (how) => {
      this.messages.end();
      resolve(how);
    };
  }

  async send(text: string): Promise<void> {
    this.told.push(text);
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watch of watchers) watch();
    await this.stall;
  }

  async close(code?: number, reason?: string): Promise<void> {
    this.#close({ code, reason });
  }

  say(message: unknown): void {
    this.messages.push(typeof message === "string" ? message : JSON.stringify(message));
  }

  async heard(count: number): Promise<unknown[]> {
    while (this.told.length < count) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
    return this.told.slice(0, 100).map((text) => JSON.parse(text) as unknown);
  }
}

const echo = rpcMethod({ params: z.object({ text: z.string() }), handle: ({ text }) => ({ text }) });

function start(
  methods: Record<string, RpcMethod>,
  options: Partial<RpcPeerOptions> & { dialect?: RpcDialect } = {},
): { line: Line; peer: RpcPeer } {
  const line = new Line();
  return {
    line,
    peer: createRpcPeer({ channel: line, methods: new Map(Object.entries(methods)), ...options }),
  };
}

describe(createRpcPeer, () => {
  it("answers with the id it was asked with and never emits a jsonrpc member", async () => {
    const { line } = start({ echo });
    line.say({ jsonrpc: "2.0", id: "a", method: "echo", params: { text: "1", more: true } });
    line.say({ id: -7, method: "echo", params: { text: "2" }, trace: {} });
    expect(await line.heard(2)).toEqual([
      { id: "a", result: { text: "1" } },
      { id: -7, result: { text: "2" } },
    ]);
  });

  it.each([
    ["not json", null, -32700],
    ["[1]", null, -32600],
    ["3", null, -32600],
    ["", null, -32700],
    ['{"id":5}', 5, -32600],
    ['{"id":"x","method":7}', "x", -32600],
    ['{"id":null,"method":"echo"}', null, -32600],
    ['{"id":1.5,"method":"echo"}', null, -32600],
    ['{"id":12345678901234567890,"method":"echo"}', null, -32600],
    ['{"id":1,"method":"nope"}', 1, -32601],
    ['{"id":1,"method":"constructor"}', 1, -32601],
    ['{"id":1,"method":"__proto__"}', 1, -32601],
    ['{"__proto__":{"method":"echo"},"id":1}', 1, -32600],
    ['{"id":1,"method":"echo"}', 1, -32602],
    ['{"id":1,"method":"echo","params":["x"]}', 1, -32602],
    [`{"id":1,"method":"echo","params":${"[".repeat(300)}`, null, -32600],
  ])("answers %s and keeps the connection", proves("json-rpc/any-text"), async (text, id, code) => {
    const { line } = start({ echo });
    line.say(text);
    line.say({ id: 99, method: "echo", params: { text: "still here" } });
    expect(await line.heard(2)).toMatchObject([
      { id, error: { code } },
      { id: 99, result: {} },
    ]);
  });

  it("says what the dialect says instead", async () => {
    const { line } = start(
      { echo },
      {
        dialect: {
          unreadable: (reason) =>
            reason === "not-json" ? undefined : { id: -1, error: new RpcError(-32600, "odd") },
          unknownMethod: (method) => new RpcError(-32600, `unknown variant ${method}`),
          badParams: (_, issue) => new RpcError(-32600, issue === undefined ? "missing" : "bad"),
          internalError: (method) => new RpcError(-32603, `${method} failed`),
          notificationMembers: () => ({ emittedAtMs: 5 }),
        },
      },
    );
    for (const text of ["{", "[]", '{"id":1,"method":"x"}', '{"id":2,"method":"echo"}']) line.say(text);
    expect(await line.heard(3)).toEqual([
      { id: -1, error: { code: -32600, message: "odd" } },
      { id: 1, error: { code: -32600, message: "unknown variant x" } },
      { id: 2, error: { code: -32600, message: "missing" } },
    ]);
  });

  it("adds the dialect's members to notifications", async () => {
    const { line, peer } = start({}, { dialect: { notificationMembers: () => ({ emittedAtMs: 5 }) } });
    await peer.notify("done", { ok: true });
    expect(line.told).toEqual(['{"method":"done","params":{"ok":true},"emittedAtMs":5}']);
  });

  it("answers an unforeseen error without its text", async () => {
    const { line } = start({
      fail: rpcMethod({
        params: z.object({}),
        handle: () => {
          throw new Error("secret");
        },
      }),
      loop: rpcMethod({ params: z.object({}), handle: () => ({ big: 1n }) }),
    });
    line.say({ id: 1, method: "fail", params: {} });
    line.say({ id: 2, method: "loop", params: {} });
    const internal = { code: -32603, message: "Internal error" };
    expect(await line.heard(2)).toEqual([
      { id: 1, error: internal },
      { id: 2, error: internal },
    ]);
  });

  it("asks admit after the parameters parsed and before the handler runs", async () => {
    const { line } = start(
      { echo },
      {
        admit: () => {
          throw new RpcError(-32600, "Not initialized");
        },
      },
    );
    line.say({ id: 1, method: "echo", params: {} });
    line.say({ id: 2, method: "echo", params: { text: "" } });
    expect(await line.heard(2)).toMatchObject([
      { error: { code: -32602 } },
      { error: { message: "Not initialized" } },
    ]);
  });

  it("lets a slow request delay no other", async () => {
    const gate = Promise.withResolvers<void>();
    const { line } = start({
      echo,
      slow: rpcMethod({ params: z.object({}), paramsOptional: true, handle: () => gate.promise }),
    });
    line.say({ id: 1, method: "slow" });
    line.say({ id: 2, method: "echo", params: { text: "first" } });
    await line.heard(1);
    gate.resolve();
    expect(await line.heard(2)).toEqual([
      { id: 2, result: { text: "first" } },
      { id: 1, result: {} },
    ]);
  });

  it("holds everything behind a serial method until it is answered", async () => {
    const gate = Promise.withResolvers<void>();
    const handled: string[] = [];
    const note = (name: string, wait?: Promise<void>, serial = false) =>
      rpcMethod({
        params: z.object({}),
        serial,
        handle: () => {
          handled.push(name);
          return wait;
        },
      });
    const { line } = start({ hello: note("hello", gate.promise, true), next: note("next") });
    line.say({ id: 1, method: "hello", params: {} });
    line.say({ id: 2, method: "next", params: {} });
    await new Promise(setImmediate);
    expect(handled).toEqual(["hello"]);
    gate.resolve();
    await line.heard(2);
    expect(handled).toEqual(["hello", "next"]);
  });

  it("runs afterReply tasks behind the reply", async () => {
    const { line } = start({
      start: rpcMethod({
        params: z.object({}),
        handle: (_, { afterReply, peer }) => {
          afterReply(() => void peer.notify("started", {}));
        },
      }),
    });
    line.say({ id: 1, method: "start", params: {} });
    expect(await line.heard(2)).toEqual([
      { id: 1, result: {} },
      { method: "started", params: {} },
    ]);
  });

  it(
    "stops reading at its bounds and answers everything in the end",
    proves("json-rpc/backpressure"),
    async () => {
      const gate = Promise.withResolvers<void>();
      let running = 0;
      let most = 0;
      const hold = rpcMethod({
        params: z.object({}),
        handle: async () => {
          running += 1;
          most = Math.max(most, running);
          await gate.promise;
          running -= 1;
        },
      });
      const { line } = start({ hold }, { maxConcurrentRequests: 3, maxWaitingRequests: 2 });
      for (let id = 0; id < 50; id++) line.say({ id, method: "hold", params: {} });
      await new Promise(setImmediate);
      gate.resolve();
      const replies = await line.heard(50);
      expect(replies).toHaveLength(50);
      expect(most).toBe(3);
    },
  );

  it("refuses above its bounds when the dialect says so", async () => {
    const gate = Promise.withResolvers<void>();
    const { line } = start(
      { hold: rpcMethod({ params: z.object({}), handle: () => gate.promise }) },
      {
        maxConcurrentRequests: 1,
        maxWaitingRequests: 1,
        dialect: { overloaded: new RpcError(-32001, "busy") },
      },
    );
    for (let id = 0; id < 3; id++) line.say({ id, method: "hold", params: {} });
    expect(await line.heard(1)).toEqual([{ id: 2, error: { code: -32001, message: "busy" } }]);
    gate.resolve();
    await line.heard(3);
  });

  it(
    "keeps a request's place until a slow peer took its reply",
    proves("json-rpc/backpressure"),
    async () => {
      const gate = Promise.withResolvers<void>();
      const { line } = start({ echo }, { maxConcurrentRequests: 2, maxWaitingRequests: 0 });
      line.stall = gate.promise;
      for (let id = 0; id < 10; id++) line.say({ id, method: "echo", params: { text: "" } });
      await new Promise(setImmediate);
      expect(line.told).toHaveLength(2);
      line.stall = undefined;
      gate.resolve();
      await line.heard(10);
    },
  );

  it(
    "tells handlers that the connection went and drops what waited for its turn",
    proves("json-rpc/gone"),
    async () => {
      const seen: string[] = [];
      const { line, peer } = start(
        {
          wait: rpcMethod({
            params: z.object({ name: z.string() }),
            handle: async ({ name }, { signal }) => {
              seen.push(name);
              await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
            },
          }),
        },
        { maxConcurrentRequests: 1 },
      );
      line.say({ id: 1, method: "wait", params: { name: "first" } });
      line.say({ id: 2, method: "wait", params: { name: "second" } });
      await new Promise(setImmediate);
      await line.close(1006);
      await peer.closed;
      expect(seen).toEqual(["first"]);
      expect(line.told).toEqual([]);
      expect(peer.signal.reason).toMatchObject({ code: "ERR_JSON_RPC_CLOSED", closeCode: 1006 });
    },
  );

  it("answers what is pending when the peer says no more, then closes", proves("json-rpc/gone"), async () => {
    const gate = Promise.withResolvers<void>();
    const { line, peer } = start({ hold: rpcMethod({ params: z.object({}), handle: () => gate.promise }) });
    line.say({ id: 1, method: "hold", params: {} });
    line.messages.end();
    await new Promise(setImmediate);
    gate.resolve();
    await peer.closed;
    expect(line.told).toEqual(['{"id":1,"result":{}}']);
    expect(await line.closed).toEqual({ code: 1000, reason: undefined });
  });

  it("matches replies to its own requests, errors included", async () => {
    const { line, peer } = start({});
    const first = peer.request("a", {});
    const second = peer.request("b", {});
    expect(await line.heard(2)).toEqual([
      { id: 0, method: "a", params: {} },
      { id: 1, method: "b", params: {} },
    ]);
    line.say({ id: 1, error: { code: -5, message: "no", data: { why: 1 } } });
    line.say({ id: 0, result: 42 });
    expect(await first).toBe(42);
    await expect(second).rejects.toMatchObject({
      name: "RpcError",
      code: -5,
      message: "no",
      data: { why: 1 },
    });
  });

  it("rejects its own requests when the connection goes or the caller gives up", async () => {
    const { line, peer } = start({}, { dialect: { unexpectedReply: "close" } });
    const caller = new AbortController();
    const given = peer.request("a", {}, { signal: caller.signal });
    caller.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    line.say({ id: 0, result: "late" });
    const lost = peer.request("b", {});
    await new Promise(setImmediate);
    await line.close(1001, "bye");
    await expect(lost).rejects.toMatchObject({ code: "ERR_JSON_RPC_CLOSED", closeCode: 1001 });
    await expect(peer.request("c", {})).rejects.toMatchObject({ code: "ERR_JSON_RPC_CLOSED" });
  });

  it.each([
    [{ method: "nobody", params: {} }, { unknownNotification: "close" as const }],
    [{ id: 7, result: {} }, { unexpectedReply: "close" as const }],
  ])("closes with 1002 on %j when the dialect says so", async (message, dialect) => {
    const { line } = start({}, { dialect });
    line.say(message);
    expect(await line.closed).toMatchObject({ code: 1002 });
  });

  it("survives 20,000 odd messages and answers the next request", proves("json-rpc/any-text"), async () => {
    const member = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("echo", "__proto__", "constructor", 1, "1", null),
    );
    const message = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.record(
        { id: member, method: member, params: member, result: member, error: member },
        { requiredKeys: [] },
      ),
      fc.string().map((text) => `{"id":1,"method":"echo","params":{"text":${JSON.stringify(text)}}`),
    );
    const { line } = start({ echo });
    fc.assert(
      fc.property(message, (value) => {
        line.say(typeof value === "string" ? value : JSON.stringify(value));
      }),
      { numRuns: 20_000 },
    );
    line.say({ id: "end", method: "echo", params: { text: "alive" } });
    while (!line.told.at(-1)?.includes('"end"')) await line.heard(line.told.length + 1);
    expect(line.told.length).toBeGreaterThan(10_000);
    for (const text of line.told) if (!("id" in JSON.parse(text))) expect.unreachable(text);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
