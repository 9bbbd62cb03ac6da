import { z } from "zod";

/** What a client may put into a turn. Kinds that need the server's own disk are not supported. */
export const turnInput: z.ZodType<TurnInput[]> = z.array(
  z.discriminatedUnion("type", [
    z.looseObject({ type: z.literal("text"), text: z.string() }),
    z.looseObject({ type: z.literal("image"), url: z.string() }),
  ]),
);

export type TurnInput =
  | { readonly type: "text"; readonly text: string; readonly [other: string]: unknown }
  | { readonly type: "image"; readonly url: string; readonly [other: string]: unknown };

/** One message of a person, as it was sent: the turn's first, or one that steers it. */
export interface UserMessage {
  readonly id: string;
  /** The client's own name for it, echoed. */
  readonly clientId: string | null;
  readonly input: readonly TurnInput[];
}

/** The words of a message, for a preview. */
export function textOf(input: readonly TurnInput[]): string {
  return input.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}
