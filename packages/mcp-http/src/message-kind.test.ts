import { describe, expect, it } from "vitest";
import { bodyFacts } from "./message-kind.ts";

describe(bodyFacts, () => {
  it.each([
    ['{"jsonrpc":"2.0","id":0,"method":"initialize"}', { kind: "initialize", id: 0 }],
    ['{"jsonrpc":"2.0","id":"a","method":"tools/call"}', { kind: "request", id: "a" }],
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}', { kind: "notification" }],
    ['{"method":"notifications/cancelled","params":{"requestId":7}}', { kind: "cancellation", id: 7 }],
    ['{"method":"notifications/cancelled"}', { kind: "cancellation", id: undefined }],
    ['{"jsonrpc":"2.0","id":3,"result":{}}', { kind: "response" }],
    ['{"jsonrpc":"2.0","id":3,"error":{}}', { kind: "response" }],
    ['[{"id":1,"method":"ping"}]', { kind: "request", id: 1 }],
    ["not json", { kind: "other" }],
    ["null", { kind: "other" }],
    [undefined, { kind: "other" }],
  ])("reads %j", (body, facts) => {
    expect(bodyFacts(body)).toEqual(facts);
  });
});
