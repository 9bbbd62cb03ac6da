import { type FunctionCall, functionOutputItem } from "../model/model-item.ts";
import type { TurnContext } from "./run-turn.ts";
import type { McpToolCallItem } from "./thread-item.ts";
import type { ToolOutcome, TurnTool } from "./turn-tools.ts";

/**
 * Does what the model asked for, one call after the other, and puts an output beside every call, also of those that
 * an interruption left undone: the next request would be refused without it.
 */
export async function runToolCalls(
  context: TurnContext,
  tools: ReadonlyMap<string, TurnTool>,
  calls: readonly FunctionCall[],
): Promise<void> {
  const { thread, turn } = context;
  for (const call of calls) {
    const output = await outputOf(context, tools.get(call.name), call);
    thread.history.push(functionOutputItem(call.callId, output));
  }
  turn.signal.throwIfAborted();
}

async function outputOf(
  context: TurnContext,
  tool: TurnTool | undefined,
  call: FunctionCall,
): Promise<string> {
  const { thread, turn } = context;
  if (turn.signal.aborted) return "not run: the turn was interrupted";
  if (tool === undefined) return `unknown tool ${JSON.stringify(call.name.slice(0, 120))}`;
  const input = parseArguments(call.arguments);
  const at = { threadId: thread.id, turnId: turn.id };
  const started: McpToolCallItem = {
    type: "mcpToolCall",
    id: call.callId,
    server: tool.server,
    tool: tool.tool,
    status: "inProgress",
    arguments: input ?? null,
    result: null,
    error: null,
    durationMs: null,
  };
  thread.publish("item/started", { item: started, ...at });
  const startedAtMs = performance.now();
  const { output, ...outcome } = await outcomeOf(tool, input, turn.signal);
  const durationMs = Math.round(performance.now() - startedAtMs);
  const item: McpToolCallItem = { ...started, ...outcome, durationMs };
  turn.record(item);
  thread.publish("item/completed", { item, ...at });
  return output;
}

async function outcomeOf(tool: TurnTool, input: unknown, signal: AbortSignal): Promise<ToolOutcome> {
  if (input === undefined) return failed("the arguments are not a JSON object");
  try {
    return await tool.call(input, signal);
  } catch {
    // Only the interruption ends here; whether the tool ran to its end is unknown.
    return failed("the turn was interrupted during the call");
  }
}

function failed(message: string): ToolOutcome {
  return { status: "failed", result: null, error: { message }, output: message };
}

function parseArguments(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
