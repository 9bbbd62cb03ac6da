import { randomUUID } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalUpstream, startLocalUpstream } from "../src/index.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream();
});
afterAll(() => upstream[Symbol.asyncDispose]());

interface ModelEvent {
  type: string;
  delta?: string;
  item?: { type: string; call_id?: string; name?: string; arguments?: string };
  response?: { status: string; usage?: { total_tokens: number }; error?: { code: string } };
}

function ask(input: unknown, more: object = {}, init: RequestInit = {}) {
  return fetch(`${upstream.model.baseUrl}/responses`, {
    method: "POST",
    headers: { authorization: "Bearer sk-local", "content-type": "application/json" },
    body: JSON.stringify({ model: "local-model", stream: true, input, ...more }),
    ...init,
  });
}

async function* events(response: Response): AsyncGenerator<ModelEvent> {
  let rest = "";
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "null") as ModelEvent;
  }
}

async function all(response: Response) {
  const seen: ModelEvent[] = [];
  for await (const event of events(response)) seen.push(event);
  return seen;
}
const spoken = (seen: ModelEvent[]) => seen.map((event) => event.delta ?? "").join("");
const user = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });

describe("the model upstream", () => {
  it("streams a greeting in four deltas, with everything a reader of the stream needs", async () => {
    const response = await ask([user("hi")]);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const seen = await all(response);
    expect(seen.map((event) => event.type)).toEqual([
      "response.created",
      "response.output_item.added",
      "response.content_part.added",
      ...Array(4).fill("response.output_text.delta"),
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(spoken(seen)).toBe("Hello from the local model.");
    expect(seen.at(-1)?.response).toMatchObject({ status: "completed", usage: { total_tokens: 16 } });
  });

  it("gives deltas out one by one while they are held", async () => {
    const held = upstream.model.holdDeltas();
    const reader = events(await ask([user("hi")]));
    const nextDelta = async () => {
      for (;;) {
        const { value, done } = await reader.next();
        if (done || value.delta !== undefined) return value?.delta;
      }
    };
    await held.waiting();
    held.release(1);
    expect(await nextDelta()).toBe("Hello");
    await held.waiting();
    held.release(1);
    expect(await nextDelta()).toBe(" from");
    held.release();
    expect(await nextDelta()).toBe(" the local");
    expect(await nextDelta()).toBe(" model.");
    expect(await nextDelta()).toBeUndefined();
  });

  it("forgets a held stream whose client leaves", async () => {
    const held = upstream.model.holdDeltas();
    const giveUp = new AbortController();
    const response = await ask([user("hi")], {}, { signal: giveUp.signal });
    await held.waiting();
    giveUp.abort();
    await expect(response.text()).rejects.toThrow();
    const next = await ask([user("hi")]);
    held.release();
    expect(spoken(await all(next))).toBe("Hello from the local model.");
  });

  it("uses a tool when asked to, and says what it returned", async () => {
    const parameters = { type: "object", properties: { text: { type: "string" } } };
    const tools = [
      { type: "function", name: "shell", parameters: {} },
      { type: "function", name: "secure__echo", parameters },
      { type: "function", name: "secure__whoami", parameters: {} },
    ];
    const question = user("Please use the tool.");
    const done = (await all(await ask([question], { tools }))).find(
      (event) => event.type === "response.output_item.done",
    );
    expect(done?.item).toMatchObject({ type: "function_call", name: "secure__echo" });
    expect(JSON.parse(done?.item?.arguments ?? "")).toEqual({ text: "from the local model" });

    const output = { type: "function_call_output", call_id: done?.item?.call_id, output: "42" };
    expect(spoken(await all(await ask([question, done?.item, output], { tools })))).toBe("The tool says: 42");
    const later = [question, done?.item, output, user("thanks")];
    expect(spoken(await all(await ask(later, { tools })))).toBe("Hello from the local model.");

    const [other] = (await all(await ask([user("use the tool whoami")], { tools }))).filter(
      (one) => one.item,
    );
    expect(other?.item?.name).toBe("secure__whoami");
    expect(spoken(await all(await ask([question])))).toBe("Hello from the local model.");
  });

  it("follows its script, then goes back to the default", async () => {
    upstream.model.script(
      { text: ["a", "b"] },
      { call: { name: "f", arguments: { x: 1 } } },
      { status: 429, body: { error: { code: "usage_limit_reached" } }, headers: { "retry-after": "1" } },
      { text: "half", ending: { failed: { code: "server_error", message: "no" } } },
      { events: [{ type: "response.unheard_of", x: 1 }] },
    );
    expect(spoken(await all(await ask([])))).toBe("ab");
    expect((await all(await ask([]))).some((event) => event.item?.name === "f")).toBe(true);
    const limited = await ask([]);
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"]);
    await limited.body?.cancel();
    expect((await all(await ask([]))).at(-1)?.response).toMatchObject({
      status: "failed",
      error: { code: "server_error" },
    });
    expect(await all(await ask([]))).toMatchObject([{ type: "response.unheard_of", x: 1 }]);
    expect(spoken(await all(await ask([])))).toBe("Hello from the local model.");
  });

  it("cuts a stream in the middle when scripted to", async () => {
    upstream.model.script({ text: ["one", "two"], ending: "cut" });
    const seen: string[] = [];
    const cut = (async () => {
      for await (const { delta } of events(await ask([]))) if (delta) seen.push(delta);
    })();
    await expect(cut).rejects.toThrow();
    expect(seen).toEqual(["one", "two"]);
  });

  it("turns away an unknown bearer, and misbehaves before it looks when told to", async () => {
    const key = `sk-${randomUUID()}`;
    const headers = { authorization: `Bearer ${key}` };
    expect((await ask([], {}, { headers })).status).toBe(401);
    upstream.model.apiKeys.add(key);
    expect((await ask([], {}, { headers })).status).toBe(200);
    upstream.model.failRequests(503, { times: 1 });
    expect((await ask([])).status).toBe(503);
    expect((await ask([], { stream: false })).status).toBe(400);
  });

  it("reads compressed requests and logs who asked, without the key", async () => {
    const body = zstdCompressSync(JSON.stringify({ stream: true, input: [user("zipped")], model: "m" }));
    const headers = {
      authorization: "Bearer sk-local",
      "content-encoding": "zstd",
      originator: "client_a",
      "user-agent": "client_a/1",
    };
    await all(await ask([], {}, { body, headers }));
    const seen = await upstream.waitFor(
      (one) => one.headers["originator"] === "client_a" && one.status === 200,
    );
    expect(seen.bodyJson).toMatchObject({ input: [{ content: [{ text: "zipped" }] }] });
    expect(seen.credential).toBe("key#1");
    expect(JSON.stringify(seen)).toContain("client_a");
    expect(JSON.stringify(seen)).not.toContain("sk-local");
  });
});
