import type { TurnInput } from "../threads/turn-input.ts";

/** One entry of a model request's `input`, or of a response's output: passed on as it came. */
export type ModelItem = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A call the model asks for. `arguments` is JSON text. */
export interface FunctionCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

/** A tool as the model is offered it. */
export interface ModelTool {
  readonly type: "function";
  readonly name: string;
  readonly description: string;
  readonly parameters: unknown;
  readonly strict: false;
}

export function userModelItem(input: readonly TurnInput[]): ModelItem {
  return {
    type: "message",
    role: "user",
    content: input.map((part) =>
      part.type === "text"
        ? { type: "input_text", text: part.text }
        : { type: "input_image", image_url: part.url },
    ),
  };
}

export function functionTool(name: string, description: string, parameters: unknown): ModelTool {
  return { type: "function", name, description, parameters, strict: false };
}

export function functionOutputItem(callId: string, output: string): ModelItem {
  return { type: "function_call_output", call_id: callId, output };
}
