import type { ModelTool } from "../model/model-item.ts";

/** What came of a tool call: for the client to see, and for the model to read. */
export interface ToolOutcome {
  readonly status: "completed" | "failed";
  readonly result: unknown;
  readonly error: { readonly message: string } | null;
  /** What the model is told. */
  readonly output: string;
}

/** A tool the model may call, behind the name it was offered under. */
export interface TurnTool {
  readonly offered: ModelTool;
  readonly server: string;
  readonly tool: string;
  /** Never rejects for what the tool does; rejects only when `signal` aborts. */
  call(input: unknown, signal: AbortSignal): Promise<ToolOutcome>;
}

/** The tools of this moment, by the name the model knows them by. */
export interface TurnTools {
  /** Resolves when nothing is starting any more. Never rejects. */
  ready(): Promise<void>;
  available(): ReadonlyMap<string, TurnTool>;
}
