import { z } from "zod";

/** Tokens of one model request, or of a whole thread. */
export interface TokenUsage {
  readonly totalTokens: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningOutputTokens: number;
}

export const noUsage: TokenUsage = {
  totalTokens: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningOutputTokens: 0,
};

/** Reads the `usage` of a finished response; undefined when it says nothing usable. */
export function readUsage(usage: unknown): TokenUsage | undefined {
  const read = usageShape.safeParse(usage).data;
  if (read === undefined) return undefined;
  return {
    totalTokens: read.total_tokens ?? read.input_tokens + read.output_tokens,
    inputTokens: read.input_tokens,
    cachedInputTokens: read.input_tokens_details?.cached_tokens ?? 0,
    outputTokens: read.output_tokens,
    reasoningOutputTokens: read.output_tokens_details?.reasoning_tokens ?? 0,
  };
}

export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    totalTokens: a.totalTokens + b.totalTokens,
    inputTokens: a.inputTokens + b.inputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningOutputTokens: a.reasoningOutputTokens + b.reasoningOutputTokens,
  };
}

const usageShape = z.looseObject({
  input_tokens: z.number(),
  output_tokens: z.number(),
  total_tokens: z.number().optional(),
  input_tokens_details: z.looseObject({ cached_tokens: z.number().optional() }).nullish(),
  output_tokens_details: z.looseObject({ reasoning_tokens: z.number().optional() }).nullish(),
});
