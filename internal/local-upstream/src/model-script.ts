/** What the model does in answer to one request. */
export type ModelStep =
  | {
      /** Streams these pieces as deltas of one message; a text alone is one delta. */
      readonly text: string | readonly string[];
      /** How the stream ends. @defaultValue "complete" */
      readonly ending?: "complete" | "cut" | "stall" | { readonly failed: { code: string; message: string } };
    }
  /** Asks for a function call. */
  | { readonly call: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> } }
  /** Answers with a status instead of a stream. */
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>> | undefined;
    }
  /** Sends these events as they are (each needs its `type`) and ends the stream. */
  | { readonly events: readonly Readonly<Record<string, unknown>>[] };

/** What the model does when nothing is scripted: greets, or uses a tool when it is asked to and has one. */
export function defaultStep(body: unknown): ModelStep {
  const { tools, input } = (body ?? {}) as { tools?: unknown; input?: unknown };
  const items = Array.isArray(input) ? (input as InputItem[]) : [];
  const lastUser = items.findLastIndex((item) => item.role === "user");
  const after = items.slice(lastUser + 1);
  const result = after.findLast((item) => item.type === "function_call_output");
  if (result) return { text: ["The tool says: ", outputText(result.output)] };
  const asked = userText(typeof input === "string" ? { content: input } : items[lastUser]);
  const tool = /\buse the tool\b/i.test(asked) ? chooseTool(tools, asked) : undefined;
  if (tool) return { call: tool };
  return { text: ["Hello", " from", " the local", " model."] };
}

interface InputItem {
  type?: string;
  role?: string;
  content?: unknown;
  output?: unknown;
}

interface FunctionTool {
  type?: string;
  name?: string;
  parameters?: { properties?: Record<string, unknown> };
}

/** Prefers the tool that the request names, then one that echoes; any other is called without arguments. */
function chooseTool(tools: unknown, asked: string) {
  const functions = (Array.isArray(tools) ? (tools as FunctionTool[]) : []).filter(
    (tool) => tool.type === "function" && tool.name !== undefined,
  );
  const lastWord = (tool: FunctionTool) => tool.name?.split(/__|\./).at(-1) ?? "";
  const named = functions.find((tool) => lastWord(tool) !== "" && asked.includes(lastWord(tool)));
  const tool = named ?? functions.find((one) => lastWord(one) === "echo");
  if (!tool?.name) return undefined;
  const takesText = tool.parameters?.properties?.["text"] !== undefined;
  return { name: tool.name, arguments: takesText ? { text: "from the local model" } : {} };
}

function userText(item: InputItem | undefined): string {
  if (typeof item?.content === "string") return item.content;
  if (!Array.isArray(item?.content)) return "";
  return (item.content as { text?: unknown }[])
    .map(({ text }) => (typeof text === "string" ? text : ""))
    .join("\n");
}

function outputText(output: unknown): string {
  return typeof output === "string" ? output : JSON.stringify(output ?? null);
}
