import { z } from "zod";
import type { ModelItem } from "./model-item.ts";
import { ModelError, turnErrorOf } from "./turn-error.ts";

/** What a model says while it answers. `completed` is the last. */
export type ModelEvent =
  | { readonly type: "itemAdded"; readonly item: ModelItem }
  | { readonly type: "textDelta"; readonly itemId: string; readonly delta: string }
  | { readonly type: "itemDone"; readonly item: ModelItem }
  | { readonly type: "completed"; readonly usage: unknown };

/**
 * Reads the data of one event of a response stream. The JSON's `type` decides; undefined for what is not acted on.
 * Throws `ModelError` for an answer that says it has failed.
 */
export function readModelEvent(data: string): ModelEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return undefined; // a keep-alive or a sentinel: the end of the stream is judged by what did arrive
  }
  const event = eventShape.safeParse(json).data;
  switch (event?.type) {
    case "response.output_text.delta":
      return { type: "textDelta", itemId: event.item_id, delta: event.delta };
    case "response.output_item.added":
      return { type: "itemAdded", item: event.item };
    case "response.output_item.done":
      return { type: "itemDone", item: event.item };
    case "response.completed":
      return { type: "completed", usage: event.response.usage };
    case "response.failed":
      throw refused(event.response.error);
    case "response.incomplete":
      throw refused({ message: `Incomplete response: ${event.response.incomplete_details?.reason ?? "?"}` });
    case "error":
      throw refused(event.error ?? event);
    case undefined:
      return undefined;
  }
}

const item: z.ZodType<ModelItem> = z.looseObject({ type: z.string() });
const fault = z.looseObject({ code: z.string().nullish(), message: z.string().nullish() });

const eventShape = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("response.output_text.delta"), item_id: z.string(), delta: z.string() }),
  z.looseObject({ type: z.literal("response.output_item.added"), item }),
  z.looseObject({ type: z.literal("response.output_item.done"), item }),
  z.looseObject({
    type: z.literal("response.completed"),
    response: z.looseObject({ id: z.string(), usage: z.unknown().optional() }),
  }),
  z.looseObject({
    type: z.literal("response.failed"),
    response: z.looseObject({ error: fault.nullish() }),
  }),
  z.looseObject({
    type: z.literal("response.incomplete"),
    response: z.looseObject({ incomplete_details: z.looseObject({ reason: z.string() }).nullish() }),
  }),
  z.looseObject({ type: z.literal("error"), ...fault.shape, error: fault.nullish() }),
]);

function refused(given: z.output<typeof fault> | null | undefined): ModelError {
  return new ModelError(
    turnErrorOf({ code: given?.code ?? undefined, message: given?.message ?? undefined }),
  );
}
