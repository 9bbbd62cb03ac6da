import type { FunctionCall, ModelItem } from "../model/model-item.ts";
import { readUsage } from "../model/token-usage.ts";
import type { TurnContext, TurnServices } from "./run-turn.ts";
import type { TurnTool } from "./turn-tools.ts";

/**
 * One model request: its text goes to the followers as it arrives, its items into the thread. Resolves with the
 * calls that it asks for.
 */
export async function answerOnce(
  services: TurnServices,
  context: TurnContext,
  tools: ReadonlyMap<string, TurnTool>,
): Promise<readonly FunctionCall[]> {
  const { thread, turn, identity } = context;
  const { model, instructions } = thread.options;
  const answer = await services.model.ask({
    model,
    instructions,
    input: [...thread.history],
    tools: [...tools.values()].map(({ offered }) => offered),
    threadId: thread.id,
    identity,
    signal: turn.signal,
  });
  const at = { threadId: thread.id, turnId: turn.id };
  const open = new Set<string>();
  const done: ModelItem[] = [];
  let usage: unknown;
  const begin = (id: string): void => {
    if (open.has(id)) return;
    open.add(id);
    thread.publish("item/started", { item: { type: "agentMessage", id, text: "" }, ...at });
  };
  try {
    for await (const event of answer.events) {
      switch (event.type) {
        case "itemAdded":
          if (event.item.type === "message") begin(idOf(event.item));
          break;
        case "textDelta":
          begin(event.itemId);
          thread.publish("item/agentMessage/delta", { ...at, itemId: event.itemId, delta: event.delta });
          break;
        case "itemDone":
          done.push(event.item);
          if (event.item.type === "message") {
            const item = {
              type: "agentMessage",
              id: idOf(event.item),
              text: messageText(event.item),
            } as const;
            begin(item.id);
            turn.record(item);
            thread.publish("item/completed", { item, ...at });
          }
          break;
        case "completed":
          usage = event.usage;
          break;
      }
    }
  } catch (error) {
    // A call without its output would spoil every later request: of a broken answer only the words are kept.
    thread.history.push(...done.filter(({ type }) => type === "message"));
    throw error;
  }
  thread.history.push(...done.filter(isReplayable));
  const last = readUsage(usage);
  if (last !== undefined) {
    const tokenUsage = { ...thread.addUsage(last), modelContextWindow: null };
    thread.publish("thread/tokenUsage/updated", { ...at, tokenUsage });
  }
  services.connections.broadcast("account/rateLimits/updated", { rateLimits: answer.rateLimits });
  return done.flatMap(functionCallOf);
}

/** Reasoning without its sealed content is known to the other side only, which was told not to store it. */
function isReplayable(item: ModelItem): boolean {
  return item.type !== "reasoning" || typeof item["encrypted_content"] === "string";
}

function idOf(item: ModelItem): string {
  const id = item["id"];
  return typeof id === "string" ? id : "message";
}

function messageText(item: ModelItem): string {
  const content = item["content"];
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => {
      const text = typeof part === "object" && part !== null && "text" in part ? part.text : "";
      return typeof text === "string" ? text : "";
    })
    .join("");
}

function functionCallOf(item: ModelItem): FunctionCall[] {
  const { call_id: callId, name, arguments: text } = item;
  if (item.type !== "function_call" || typeof callId !== "string" || typeof name !== "string") return [];
  return [{ callId, name, arguments: typeof text === "string" ? text : "{}" }];
}
