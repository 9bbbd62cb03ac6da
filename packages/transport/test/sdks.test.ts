import { once } from "node:events";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { proves, type ScriptedExchange, type ScriptedServer, type SeenHttpRequest } from "@hawser/test-kit";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type FetchLike, type HttpTransport, toFetch } from "../src/index.ts";
import { rejection } from "./support/failure.ts";
import { SAMPLED_WIRES, startWire, type Wire } from "./support/wires.ts";

/** For what happens soon, on a machine with other things to do. */
const PATIENCE = { timeout: 15_000 };

describe.concurrent.each(SAMPLED_WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  let fetch: FetchLike;
  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
    fetch = toFetch(transport);
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await wire[Symbol.asyncDispose]();
  });

  describe.each(["v2", "v1"])("the official MCP client, %s", { concurrent: false }, (version) => {
    let server: ScriptedServer;
    let listening: Promise<unknown>;
    let calling: Promise<unknown>;
    beforeAll(async () => {
      server = await wire.server({
        handler: (seen, exchange) => {
          const gone = exchange.gone.aborted ? Promise.resolve() : once(exchange.gone, "abort");
          if (seen.method === "GET") listening = gone;
          if (seen.body.includes('"never"')) calling = gone;
          return answerRpc(seen, exchange);
        },
      });
    });
    afterAll(() => server.close());

    const connected = async () => {
      const info = { name: "sdk-test", version: "1.0.0" };
      const url = new URL("/rpc", server.url);
      if (version === "v2") {
        const over = new StreamableHTTPClientTransport(url, { fetch });
        const client = new Client(info);
        await client.connect(over);
        return { client, over };
      }
      const over = new TransportV1(url, { fetch });
      const client = new ClientV1(info);
      await client.connect(over as Parameters<ClientV1["connect"]>[0]);
      const callTool = (
        call: { name: string; arguments: Record<string, unknown> },
        options: { signal?: AbortSignal; onprogress?: (progress: { progress: number }) => void },
      ) => client.callTool(call, undefined, options);
      return { client: { listTools: () => client.listTools(), callTool, close: () => client.close() }, over };
    };

    it("lists, calls, hears of progress and says goodbye", proves("transport/to-fetch"), async () => {
      const { client, over } = await connected();
      const progress: number[] = [];

      const { tools } = await client.listTools();
      const result = await client.callTool(
        { name: "echo", arguments: { text: "häuser" } },
        { onprogress: ({ progress: done }) => progress.push(done) },
      );
      await vi.waitFor(() => expect(listening).toBeDefined(), PATIENCE);
      await over.terminateSession();
      await client.close();
      // Its stream for notifications is let go of.
      await listening;

      expect(tools.map((tool) => tool.name)).toEqual(["echo"]);
      expect(result.content).toEqual([{ type: "text", text: "häuser" }]);
      expect(progress).toEqual([1, 2]);
      const sent = server.seen.filter(({ headers }) => headers["mcp-session-id"] !== undefined);
      expect(new Set(sent.map(({ headers }) => headers["mcp-session-id"]))).toEqual(new Set(["s-1"]));
      expect(server.seen.some(({ method }) => method === "DELETE")).toBe(true);
    });

    it("lets go of a call that its caller gives up", proves("transport/to-fetch"), async () => {
      const { client } = await connected();
      const caller = new AbortController();
      const call = client.callTool({ name: "never", arguments: {} }, { signal: caller.signal });
      const failed = rejection(call);
      await server.waitFor(1, ({ body }) => body.includes('"never"'));
      caller.abort();
      expect(await failed).toBeInstanceOf(Error);
      await client.close();
      await calling;
    });
  });

  describe("the AI SDK", { concurrent: false }, () => {
    let server: ScriptedServer;
    let gone: Promise<unknown>;
    beforeAll(async () => {
      server = await wire.server({
        handler: (seen, exchange) => {
          gone = exchange.gone.aborted ? Promise.resolve() : once(exchange.gone, "abort");
          return answerChat(seen, exchange);
        },
      });
    });
    afterAll(() => server.close());

    const model = () =>
      createOpenAICompatible({
        name: "scripted",
        apiKey: "key",
        baseURL: new URL("/v1", server.url).href,
        fetch: fetch as typeof globalThis.fetch,
      })("m-1");

    it("generates a text", proves("transport/to-fetch"), async () => {
      const { text } = await generateText({ model: model(), prompt: "once" });

      expect(text).toBe("häuser");
      expect(server.seen.at(-1)?.headers["authorization"]).toBe("Bearer key");
    });

    it("streams a text, and lets go of one that is aborted", proves("transport/to-fetch"), async () => {
      const pieces: string[] = [];
      for await (const piece of streamText({ model: model(), prompt: "three" }).textStream)
        pieces.push(piece);
      expect(pieces).toEqual(["hä", "us", "er"]);

      const caller = new AbortController();
      const endless = streamText({ model: model(), prompt: "endless", abortSignal: caller.signal });
      for await (const _piece of endless.textStream) caller.abort();
      await gone;
    });
  });

  describe("the openai client", { concurrent: false }, () => {
    let server: ScriptedServer;
    let gone: Promise<unknown>;
    let failures = 0;
    beforeAll(async () => {
      server = await wire.server({
        handler: (seen, exchange) => {
          gone = exchange.gone.aborted ? Promise.resolve() : once(exchange.gone, "abort");
          if (seen.path.endsWith("/models") && failures > 0) {
            failures -= 1;
            return { status: 503, headers: { "retry-after-ms": "1" }, json: { error: { message: "busy" } } };
          }
          if (seen.path.endsWith("/models/none"))
            return { status: 404, json: { error: { message: "none" } } };
          if (seen.path.endsWith("/models")) return { json: { object: "list", data: [{ id: "m-1" }] } };
          if (seen.path.endsWith("/files")) return { json: { id: "f-1" } };
          return streamed(seen, exchange);
        },
      });
    });
    afterAll(() => server.close());

    const client = () =>
      new OpenAI({
        apiKey: "key",
        baseURL: new URL("/v1", server.url).href,
        fetch: fetch as typeof globalThis.fetch,
      });

    it("reads JSON, also at the second try", proves("transport/to-fetch"), async () => {
      failures = 1;
      const before = server.seen.length;

      const { data } = await client().models.list();

      expect([data.map(({ id }) => id), server.seen.length - before]).toEqual([["m-1"], 2]);
      expect(server.seen.at(-1)?.headers["authorization"]).toBe("Bearer key");
    });

    it("knows a failure status and a failed connection", proves("transport/to-fetch"), async () => {
      expect(await rejection(client().models.retrieve("none"))).toBeInstanceOf(OpenAI.NotFoundError);

      const nowhere = new OpenAI({
        apiKey: "key",
        baseURL: "http://127.0.0.1:1/",
        maxRetries: 0,
        fetch: fetch as typeof globalThis.fetch,
      });
      expect(await rejection(nowhere.models.list())).toBeInstanceOf(OpenAI.APIConnectionError);
    });

    it("reads a stream event by event", proves("transport/to-fetch"), async () => {
      const stream = await client().responses.create({ model: "m-1", input: "three", stream: true });

      const deltas: string[] = [];
      for await (const event of stream) {
        if (event.type === "response.output_text.delta") deltas.push(event.delta);
      }

      expect(deltas).toEqual(["hä", "us", "er"]);
    });

    it("lets go of a stream that is left or aborted", proves("transport/to-fetch"), async () => {
      for (const leave of ["break", "abort"]) {
        const stream = await client().responses.create({ model: "m-1", input: "endless", stream: true });
        for await (const _event of stream) {
          if (leave === "break") break;
          stream.controller.abort();
        }
        await gone;
      }
    });

    it("gives up after its own timeout", proves("transport/to-fetch"), async () => {
      const hurried = client().responses.create(
        { model: "m-1", input: "silent" },
        { timeout: 50, maxRetries: 0 },
      );

      expect(await rejection(hurried)).toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
      await gone;
    });

    it("sends a form with a file", proves("transport/to-fetch"), async () => {
      await client().files.create({ file: new File(["häuser"], "a.txt"), purpose: "assistants" });

      const seen = server.seen.at(-1);
      expect(seen?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
      expect(seen?.body).toContain("häuser");
    });
  });
});

/** As little of a server as the client asks for: JSON for lists, an event stream for calls. */
async function answerRpc(seen: SeenHttpRequest, { response, gone }: ScriptedExchange) {
  if (seen.method === "DELETE") return { status: 200 };
  if (seen.method === "GET") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    return undefined;
  }
  const { id, method, params } = JSON.parse(seen.body);
  if (id === undefined) return { status: 202 };
  const reply = (result: unknown) => ({ jsonrpc: "2.0", id, result });
  if (method === "initialize") {
    return {
      headers: { "mcp-session-id": "s-1" },
      json: reply({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "scripted", version: "1" },
      }),
    };
  }
  if (method === "tools/list") {
    return { json: reply({ tools: [{ name: "echo", inputSchema: { type: "object" } }] }) };
  }
  if (method !== "tools/call") {
    return { json: { jsonrpc: "2.0", id, error: { code: -32601, message: "no such method" } } };
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  if (params.name === "never") return undefined;
  const progressToken = params._meta?.progressToken;
  for (const progress of [1, 2]) {
    if (gone.aborted) return undefined;
    response.write(
      event({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress } }),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end(event(reply({ content: [{ type: "text", text: params.arguments.text }] })));
  return undefined;
}

async function streamed(seen: SeenHttpRequest, { response, gone }: ScriptedExchange) {
  const { input } = JSON.parse(seen.body) as { input: string };
  if (input === "silent") return;
  response.writeHead(200, { "content-type": "text/event-stream" });
  const deltas = input === "three" ? ["hä", "us", "er"] : new Array<string>(1_000).fill("more");
  for (const delta of deltas) {
    if (gone.aborted) return;
    const bytes = Buffer.from(event({ type: "response.output_text.delta", delta }));
    // In the middle of a character, too.
    response.write(bytes.subarray(0, bytes.length - 7));
    await new Promise((resolve) => setTimeout(resolve, 1));
    response.write(bytes.subarray(bytes.length - 7));
  }
  response.end("data: [DONE]\n\n");
}

/** Chat completions, whole or streamed. */
async function answerChat(seen: SeenHttpRequest, { response, gone }: ScriptedExchange) {
  const { stream, messages } = JSON.parse(seen.body) as {
    stream?: boolean;
    messages: { content: unknown }[];
  };
  const head = { id: "c-1", created: 1, model: "m-1" };
  if (stream !== true) {
    const message = { role: "assistant", content: "häuser" };
    return {
      json: { ...head, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }] },
    };
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const endless = JSON.stringify(messages).includes("endless");
  const chunk = (delta: object, finish_reason: string | null) =>
    event({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] });
  for (const content of endless ? new Array<string>(1_000).fill("more") : ["hä", "us", "er"]) {
    if (gone.aborted) return undefined;
    response.write(chunk({ content }, null));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
  return undefined;
}

function event(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
