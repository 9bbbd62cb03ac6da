import type { TurnInput, UserMessage } from "./turn-input.ts";

/** What happened in a turn, as clients are told it. */
export type ThreadItem =
  | {
      readonly type: "userMessage";
      readonly id: string;
      readonly clientId: string | null;
      readonly content: readonly TurnInput[];
    }
  | { readonly type: "agentMessage"; readonly id: string; readonly text: string }
  | McpToolCallItem;

export interface McpToolCallItem {
  readonly type: "mcpToolCall";
  readonly id: string;
  readonly server: string;
  readonly tool: string;
  readonly status: "inProgress" | "completed" | "failed";
  readonly arguments: unknown;
  readonly result: unknown;
  readonly error: { readonly message: string } | null;
  readonly durationMs: number | null;
}

export function userMessageItem(message: UserMessage): ThreadItem {
  return { type: "userMessage", id: message.id, clientId: message.clientId, content: message.input };
}
