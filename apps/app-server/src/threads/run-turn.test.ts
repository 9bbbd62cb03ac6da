import { createIdentityScope, parseClientInfo, processIdentity } from "@hawser/client-identity";
import type { MessageChannel } from "@hawser/json-rpc";
import { describe, expect, it } from "vitest";
import { ClientConnection } from "../connections/client-connection.ts";
import { ConnectionRegistry } from "../connections/connection-registry.ts";
import type { ModelClient, ModelRequest } from "../model/model-client.ts";
import type { ModelEvent } from "../model/model-event.ts";
import { ModelError, turnErrorOf } from "../model/turn-error.ts";
import { runTurn } from "./run-turn.ts";
import { Thread } from "./thread.ts";
import { Turn } from "./turn.ts";
import type { UserMessage } from "./turn-input.ts";
import type { TurnTool, TurnTools } from "./turn-tools.ts";

interface Sent {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

function recordingConnection(identity = scope.process): { connection: ClientConnection; sent: Sent[] } {
  const sent: Sent[] = [];
  const channel: MessageChannel = {
    messages: (async function* () {})(),
    queuedBytes: 0,
    send: async (text) => void sent.push(JSON.parse(text) as Sent),
    close: async () => {},
    closed: new Promise(() => {}),
  };
  const connection = new ClientConnection(channel);
  connection.introduce({ identity, experimental: false, unwantedNotifications: new Set() });
  connection.startHearing();
  return { connection, sent };
}

const scope = createIdentityScope(processIdentity({ name: "server", version: "1" }));

/** A model that answers each request with the next script. */
function scriptedModel(...scripts: ((request: ModelRequest) => AsyncIterable<ModelEvent>)[]) {
  const requests: ModelRequest[] = [];
  const model: ModelClient = {
    async ask(request) {
      requests.push(request);
      const script = scripts[requests.length - 1];
      if (script === undefined) throw new Error("asked once too often");
      const limits = { limitId: "codex", limitName: null, primary: null, secondary: null } as const;
      return { rateLimits: { ...limits, credits: null, planType: null }, events: script(request) };
    },
  };
  return { model, requests };
}

async function* say(text: string): AsyncGenerator<ModelEvent> {
  const content = [{ type: "output_text", text }];
  yield { type: "itemAdded", item: { type: "message", id: "m1" } };
  for (const delta of text) yield { type: "textDelta", itemId: "m1", delta };
  yield { type: "itemDone", item: { type: "message", id: "m1", role: "assistant", content } };
  yield { type: "completed", usage: { input_tokens: 3, output_tokens: 2 } };
}

async function* callTool(name: string): AsyncGenerator<ModelEvent> {
  const item = { type: "function_call", call_id: "c1", name, arguments: '{"word":"x"}' };
  yield { type: "itemDone", item };
  yield { type: "completed", usage: undefined };
}

const noTools: TurnTools = { ready: async () => {}, available: () => new Map() };

function setUp(model: ModelClient, tools: TurnTools = noTools) {
  const connections = new ConnectionRegistry();
  const follower = recordingConnection();
  const bystander = recordingConnection();
  connections.add(follower.connection);
  connections.add(bystander.connection);
  const thread = new Thread({
    model: "m",
    modelProvider: "p",
    instructions: "i",
    cwd: "/",
    ephemeral: false,
    cliVersion: "1",
    originator: "server",
  });
  thread.subscribe(follower.connection);
  const turn = new Turn(message("hello"));
  thread.begin(turn, "hello");
  const identity = parseClientInfo({ name: "client_a", version: "1" }, { process: scope.process });
  const services = { model, tools, connections, scope };
  return {
    thread,
    turn,
    follower,
    bystander,
    services,
    run: () => runTurn(services, { thread, turn, identity }),
  };
}

function message(text: string): UserMessage {
  return { id: `u-${text}`, clientId: null, input: [{ type: "text", text }] };
}

const methods = (sent: readonly Sent[]): string[] => sent.map(({ method }) => method);

describe(runTurn, () => {
  it("tells the followers everything in order, and the others only what concerns all", async () => {
    const { follower, bystander, run } = setUp(scriptedModel(() => say("Hi")).model);

    await run();

    expect(methods(follower.sent)).toEqual([
      "thread/status/changed",
      "turn/started",
      "item/started",
      "item/completed",
      "item/started",
      "item/agentMessage/delta",
      "item/agentMessage/delta",
      "item/completed",
      "thread/tokenUsage/updated",
      "account/rateLimits/updated",
      "thread/status/changed",
      "turn/completed",
    ]);
    expect(methods(bystander.sent)).toEqual([
      "thread/status/changed",
      "account/rateLimits/updated",
      "thread/status/changed",
    ]);
    expect(follower.sent.at(-1)?.params["turn"]).toMatchObject({
      status: "completed",
      itemsView: "summary",
      items: [{ type: "agentMessage", id: "m1", text: "Hi" }],
    });
  });

  it("does what the model asks and tells it what came of it", async () => {
    const tool: TurnTool = {
      offered: { type: "function", name: "mcp__s__echo", description: "", parameters: {}, strict: false },
      server: "s",
      tool: "echo",
      call: async (input) => ({ status: "completed", result: input, error: null, output: "echoed" }),
    };
    const { model, requests } = scriptedModel(
      () => callTool("mcp__s__echo"),
      () => say("done"),
    );
    const { follower, run } = setUp(model, {
      ready: async () => {},
      available: () => new Map([["mcp__s__echo", tool]]),
    });

    await run();

    expect(requests).toHaveLength(2);
    expect(requests[1]?.input.slice(-2)).toMatchObject([
      { type: "function_call", call_id: "c1" },
      { type: "function_call_output", call_id: "c1", output: "echoed" },
    ]);
    expect(follower.sent.map(({ params }) => params["item"])).toContainEqual(
      expect.objectContaining({ type: "mcpToolCall", status: "completed", result: { word: "x" } }),
    );
  });

  it("answers a call of an unknown tool instead of ending the turn", async () => {
    const { model, requests } = scriptedModel(
      () => callTool("constructor"),
      () => say("sorry"),
    );
    const { turn, run } = setUp(model);

    await run();

    expect(turn.status).toBe("completed");
    expect(requests[1]?.input.at(-1)).toMatchObject({ output: 'unknown tool "constructor"' });
  });

  it("gives a message that arrives while the model answers to the model's next request", async () => {
    const { model, requests } = scriptedModel(
      async function* () {
        fixture.turn.steer(message("and more"));
        yield* say("one");
      },
      () => say("two"),
    );
    const fixture = setUp(model);

    await fixture.run();

    expect(requests).toHaveLength(2);
    expect(requests[1]?.input.at(-1)).toMatchObject({ role: "user", content: [{ text: "and more" }] });
    expect(fixture.turn.status).toBe("completed");
  });

  it("leaves no call without an output when the turn is interrupted during it", async () => {
    const { model } = scriptedModel(() => callTool("t"));
    const tool: TurnTool = {
      offered: { type: "function", name: "t", description: "", parameters: {}, strict: false },
      server: "s",
      tool: "t",
      call: (_, signal) => {
        fixture.turn.interrupt();
        return Promise.reject(signal.reason);
      },
    };
    const fixture = setUp(model, { ready: async () => {}, available: () => new Map([["t", tool]]) });

    await fixture.run();

    expect(fixture.turn.status).toBe("interrupted");
    expect(fixture.thread.history.map(({ type }) => type)).toEqual([
      "message",
      "function_call",
      "function_call_output",
    ]);
    expect(methods(fixture.follower.sent).slice(-2)).toEqual(["thread/status/changed", "turn/completed"]);
  });

  it("says why a turn failed before it says that it is over", async () => {
    const { model } = scriptedModel(async function* () {
      yield { type: "itemDone", item: { type: "function_call", call_id: "c", name: "t", arguments: "{}" } };
      throw new ModelError(turnErrorOf({ status: 500 }));
    });
    const { follower, thread, run } = setUp(model);

    await run();

    expect(methods(follower.sent).slice(-3)).toEqual(["thread/status/changed", "error", "turn/completed"]);
    expect(follower.sent.at(-1)?.params["turn"]).toMatchObject({
      status: "failed",
      error: { codexErrorInfo: "internalServerError" },
    });
    expect(thread.status).toEqual({ type: "systemError" });
    expect(thread.history.map(({ type }) => type)).toEqual(["message"]);
  });

  it("makes each model request for the connection that sent the turn", async () => {
    const { model, requests } = scriptedModel(() => say("Hi"));
    const { run } = setUp(model);

    await run();

    expect(requests.map(({ identity }) => identity.originator)).toEqual(["client_a"]);
  });
});
