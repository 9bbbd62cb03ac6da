import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { DeltaGate } from "./delta-gate.ts";
import type { ModelStep } from "./model-script.ts";

/** Streams one step as the events of the Responses API; ends early, silently, when the client leaves. */
export async function streamStep(response: ServerResponse, step: ModelStep, gate: DeltaGate): Promise<void> {
  if ("status" in step) {
    const body = step.body === undefined ? "" : JSON.stringify(step.body);
    response.writeHead(step.status, { "content-type": "application/json", ...step.headers }).end(body);
    return;
  }
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-request-id": `req_${randomUUID()}`,
  });
  let sequence = 0;
  const send = (type: string, fields: Record<string, unknown>) => {
    const data = JSON.stringify({ type, sequence_number: sequence, ...fields });
    sequence += 1;
    response.write(`event: ${type}\ndata: ${data}\n\n`);
  };

  if ("events" in step) {
    for (const { type, ...fields } of step.events) send(String(type), fields);
    response.end();
    return;
  }
  const base = { id: `resp_${randomUUID()}`, object: "response", created_at: Math.floor(Date.now() / 1000) };
  send("response.created", { response: { ...base, status: "in_progress", output: [] } });
  const item =
    "call" in step ? sendCall(send, step.call) : await sendMessage(send, step.text, gate, gone.signal);
  const ending = "ending" in step ? (step.ending ?? "complete") : "complete";
  if (item === undefined || ending === "stall") return;
  if (ending === "cut") {
    // What was written still arrives; the body just never ends.
    response.socket?.destroySoon();
    return;
  }
  if (ending === "complete") {
    const usage = {
      input_tokens: 12,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 4,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 16,
    };
    send("response.completed", { response: { ...base, status: "completed", output: [item], usage } });
  } else {
    send("response.failed", { response: { ...base, status: "failed", error: ending.failed, output: [] } });
  }
  response.end();
}

type Send = (type: string, fields: Record<string, unknown>) => void;

function sendCall(send: Send, call: { name: string; arguments: Readonly<Record<string, unknown>> }): unknown {
  const callArguments = JSON.stringify(call.arguments);
  const item = {
    id: `fc_${randomUUID()}`,
    type: "function_call",
    call_id: `call_${randomUUID()}`,
    name: call.name,
    arguments: "",
    status: "in_progress",
  };
  send("response.output_item.added", { output_index: 0, item });
  const where = { item_id: item.id, output_index: 0 };
  send("response.function_call_arguments.delta", { ...where, delta: callArguments });
  send("response.function_call_arguments.done", { ...where, arguments: callArguments });
  const done = { ...item, arguments: callArguments, status: "completed" };
  send("response.output_item.done", { output_index: 0, item: done });
  return done;
}

/** Resolves with the finished item, or with nothing when the client left. */
async function sendMessage(
  send: Send,
  text: string | readonly string[],
  gate: DeltaGate,
  gone: AbortSignal,
): Promise<unknown> {
  const item = { id: `msg_${randomUUID()}`, type: "message", role: "assistant", status: "in_progress" };
  send("response.output_item.added", { output_index: 0, item: { ...item, content: [] } });
  const where = { item_id: item.id, output_index: 0, content_index: 0 };
  send("response.content_part.added", { ...where, part: { type: "output_text", text: "", annotations: [] } });
  const pieces = typeof text === "string" ? [text] : text;
  for (const delta of pieces) {
    if (!(await gate.pass(gone))) return undefined;
    send("response.output_text.delta", { ...where, delta });
  }
  const part = { type: "output_text", text: pieces.join(""), annotations: [] };
  send("response.output_text.done", { ...where, text: part.text });
  send("response.content_part.done", { ...where, part });
  const done = { ...item, status: "completed", content: [part] };
  send("response.output_item.done", { output_index: 0, item: done });
  return done;
}
