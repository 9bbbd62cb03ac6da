import { describe, expect, it } from "vitest";
import { readModelEvent } from "./model-event.ts";
import { ModelError } from "./turn-error.ts";

describe(readModelEvent, () => {
  it.each([
    ["not json", undefined],
    ["[DONE]", undefined],
    ['{"type":"response.something.new","x":1}', undefined],
    ['{"type":"response.completed","response":{}}', undefined],
    [
      '{"type":"response.output_text.delta","item_id":"m1","delta":"Hi"}',
      { type: "textDelta", itemId: "m1", delta: "Hi" },
    ],
    [
      '{"type":"response.output_item.done","item":{"type":"message","id":"m1","extra":2}}',
      { type: "itemDone", item: { type: "message", id: "m1", extra: 2 } },
    ],
    ['{"type":"response.completed","response":{"id":"r1"}}', { type: "completed", usage: undefined }],
  ])("reads %s", (data, expected) => {
    expect(readModelEvent(data)).toEqual(expected);
  });

  it.each([
    [
      '{"type":"response.failed","response":{"error":{"code":"slow_down","message":"m"}}}',
      "serverOverloaded",
    ],
    ['{"type":"error","code":"context_length_exceeded","message":"m"}', "contextWindowExceeded"],
    ['{"type":"error","error":{"code":"usage_limit_reached","message":"m"}}', "usageLimitExceeded"],
    [
      '{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}',
      "other",
    ],
  ])("throws for %s", (data, info) => {
    expect(() => readModelEvent(data)).toThrowError(
      expect.toSatisfy(
        (error: unknown) => error instanceof ModelError && error.turnError.codexErrorInfo === info,
      ),
    );
  });
});
